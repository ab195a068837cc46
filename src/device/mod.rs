//! A GPU as the guard sees it: what it can say ([`Sensor`]), what it can be told ([`Actuator`]),
//! and the driver that has it ([`Driver`]); also what a file says beside it ([`FileSensor`]). The
//! only layer that knows NVML or the thermal model.
//!
//! Missing data is a value here ([`Missing`]), never a zero: "this card has no memory sensor",
//! "this read failed" and "the card is gone" lead to different decisions.

pub mod clock_events;
pub mod dry_run;
pub mod facts;
pub mod faults;
pub mod file_sensor;
pub mod knob;
pub mod nvml;
mod nvml_raw;
pub mod plant;
pub mod plausible;
pub mod profile;
pub mod reading;
pub mod sim;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::units::{Megahertz, Moment, Watts};

pub use clock_events::ClockEvents;
pub use facts::{Facts, Identity, PowerConstraints, Thresholds, TlimitOffsets};
pub use file_sensor::{FileSensor, FileSensorError, SensorUnit};
pub use knob::{ByKnob, Knob};
pub use nvml::NvmlCode;
pub use reading::{Missing, Reading, Slow};

/// A GPU's UUID as NVML prints it (`GPU-…`): its identity across reboots, indexes and slots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid(Arc<str>);

impl Uuid {
    pub fn new(uuid: &str) -> Self {
        Self(uuid.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which readings a tick wants: the control loop's own every time, the slow ones now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cadence {
    /// Temperatures, power, limits, clocks, clock events: microseconds each.
    Fast,
    /// All of it: also fans, energy, memory, ECC, counters, which cost milliseconds.
    Full,
}

/// What a GPU says. Needs no privilege.
pub trait Sensor {
    fn identity(&self) -> &Arc<Identity>;

    /// Constants of this card and driver, as far as they are known. A full look asks for what
    /// isn't; facts that are other ones then are in another `Arc`.
    fn facts(&self) -> &Arc<Facts>;

    /// One look at the card. Never fails as a whole: what couldn't be read says so in its place.
    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading;
}

/// What a GPU can be told. Needs root or `CAP_SYS_ADMIN`.
pub trait Actuator {
    /// The requested power management limit, straight from the card (not the enforced one, which
    /// out-of-band limits lower).
    fn power_limit(&mut self) -> Result<Watts, ActuatorError>;

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError>;

    fn lock_gpu_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError>;

    fn reset_gpu_clock(&mut self) -> Result<(), ActuatorError>;

    fn lock_memory_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError>;

    fn reset_memory_clock(&mut self) -> Result<(), ActuatorError>;

    /// False for an actuator that only pretends (`mode: observe`).
    fn writes(&self) -> bool {
        true
    }
}

/// One GPU, held open by one worker thread.
pub trait Gpu: Sensor + Actuator + Send {}

impl<T: Sensor + Actuator + Send> Gpu for T {}

/// A clock lock: the card may choose any clock within, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRange {
    pub min: Megahertz,
    pub max: Megahertz,
}

/// The driver of the node's GPUs. Shared by the workers; every method may block, as NVML does.
pub trait Driver: Send + Sync {
    /// All GPUs of the node. (Re)initialises the library when nobody holds a GPU of the old one.
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError>;

    /// How many GPUs the driver says there are, those that can't be listed included.
    fn count(&self) -> Result<usize, DriverError> {
        self.inventory().map(|gpus| gpus.len())
    }

    /// Opens one GPU and reads its facts. What can't be read is left out for now; only a card or
    /// driver that is gone, or has no name for it, can't be opened.
    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError>;

    /// A source of Xid events of all GPUs, for a thread of its own. `None`: not supported.
    fn events(&self) -> Result<Option<Box<dyn EventSource>>, DriverError> {
        Ok(None)
    }
}

/// Blocking source of critical GPU events.
pub trait EventSource: Send {
    /// The next event, or `None` when `timeout` passed without one.
    fn wait(&mut self, timeout: Duration) -> Result<Option<Xid>, DriverError>;
}

/// A critical error the driver reported of one GPU (NVIDIA's "Xid" codes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xid {
    pub uuid: Uuid,
    pub code: u64,
}

/// Why a write didn't take. The variant decides what the guard does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ActuatorError {
    /// Exporter only, from now on: said once in the log, in `check` and in a metric.
    #[error("no permission: run as root or with CAP_SYS_ADMIN")]
    NoPermission,
    /// Our arithmetic and the card's constraints disagree; the value is not tried again.
    #[error("out of the card's range")]
    OutOfRange,
    /// The card has no such control; never tried again until the next initialisation.
    #[error("not supported by this card or driver")]
    Unsupported,
    /// The card or driver went away: the handle is dropped and opened anew.
    #[error("GPU or driver lost")]
    Lost,
    /// Tried again on the next tick.
    #[error("{}", NvmlCode(*.0))]
    Transient(u32),
}

impl ActuatorError {
    /// The card is as it was; of the others, that isn't known.
    pub const fn is_refusal(self) -> bool {
        match self {
            Self::NoPermission | Self::OutOfRange | Self::Unsupported => true,
            Self::Lost | Self::Transient(_) => false,
        }
    }
}

/// Why the driver can't be used at all.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DriverError {
    #[error("the NVML library can't be loaded: {0}")]
    LibraryMissing(String),
    #[error("the NVIDIA driver is not loaded")]
    DriverNotLoaded,
    #[error("driver and NVML library have different versions (a driver upgrade is under way)")]
    VersionMismatch,
    #[error("no GPU with UUID {0}")]
    NoSuchGpu(Uuid),
    #[error("GPU lost")]
    GpuLost,
    #[error("{call}: {}{}", NvmlCode(*.code), Meaning(*.code))]
    Call { call: &'static str, code: u32 },
}

impl DriverError {
    /// There is no driver, as opposed to one that can't be used.
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::LibraryMissing(_) | Self::DriverNotLoaded)
    }

    /// What an operator can do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            // The rest is in its text, which knows where the library was looked for.
            Self::LibraryMissing(_) => "in a container, set NVIDIA_DRIVER_CAPABILITIES=utility",
            Self::DriverNotLoaded => NvmlCode(9).remedy(),
            Self::VersionMismatch => NvmlCode(18).remedy(),
            Self::NoSuchGpu(_) => "see nvidia-smi -L for those there are",
            Self::GpuLost => NvmlCode(15).remedy(),
            Self::Call { code, .. } => NvmlCode(*code).remedy(),
        }
    }
}

/// `: ` and what a code says, where it says anything.
struct Meaning(u32);

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NvmlCode(self.0).meaning() {
            Some(meaning) => write!(f, ": {meaning}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_says_its_code_in_words_and_what_to_do() {
        let blocked = DriverError::Call {
            call: "nvmlInit_v2",
            code: 17,
        };
        let said = blocked.to_string();
        let beginning = "nvmlInit_v2: NVML code 17 (OPERATING_SYSTEM): the operating system";
        assert!(said.starts_with(beginning), "{said}");
        assert!(blocked.remedy().contains("WSL"), "{}", blocked.remedy());
        let newer = DriverError::Call {
            call: "nvmlInit_v2",
            code: 77,
        };
        assert_eq!(newer.to_string(), "nvmlInit_v2: NVML code 77");
    }

    #[test]
    fn a_driver_that_fails_to_initialise_is_there() {
        let call = "nvmlInit_v2";
        for code in [8, 17, 19, 999] {
            assert!(!DriverError::Call { call, code }.is_absence());
        }
        assert!(!DriverError::VersionMismatch.is_absence());
        assert!(DriverError::DriverNotLoaded.is_absence());
    }

    #[test]
    fn what_is_missing_says_why() {
        let said = |missing: Missing| missing.to_string();
        assert_eq!(said(Missing::Failed(999)), "NVML code 999 (UNKNOWN)");
        assert_eq!(said(Missing::NotSupported), "not supported");
        assert_eq!(said(Missing::Implausible(255)), "says 255, which can't be");
        let write = ActuatorError::Transient(10).to_string();
        assert_eq!(write, "NVML code 10 (TIMEOUT)");
    }
}
