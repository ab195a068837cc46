//! One look at one GPU.

use std::fmt;

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::clock_events::CountedEvent;
use super::{ClockEvents, NvmlCode};

/// Why a value isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// This card or driver says that it has none. Whether that is so is decided over several
    /// answers, see [`crate::policy::sense`].
    NotSupported,
    /// It should be there, but this read failed, with NVML's code.
    Failed(u32),
    /// It answered with this number, which can't be a measurement.
    Implausible(i64),
    /// The card is gone (off the bus, needs a reset) or the driver was unloaded: the handle is
    /// useless and must be opened anew.
    Lost,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("not supported"),
            Self::Failed(code) => NvmlCode(*code).fmt(f),
            Self::Implausible(value) => write!(f, "says {value}, which can't be"),
            Self::Lost => f.write_str("GPU or driver lost"),
        }
    }
}

/// The readings of one tick. A value that couldn't be had says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub at: Moment,
    pub core: Result<Celsius, Missing>,
    pub memory: Result<Celsius, Missing>,
    /// Distance to the maximum operating temperature, over all internal sensors; negative past it.
    pub margin: Result<Celsius, Missing>,
    pub draw: Result<Watts, Missing>,
    /// The requested limit: what `set_power_limit` set, by whomever.
    pub limit: Result<Watts, Missing>,
    /// The limit in force, out-of-band ones included.
    pub enforced_limit: Result<Watts, Missing>,
    pub gpu_clock: Result<Megahertz, Missing>,
    pub events: Result<ClockEvents, Missing>,
    /// Share of time with a kernel running.
    pub utilization: Result<Ratio, Missing>,
    /// The slow half: read on this tick or kept from an earlier one.
    pub slow: Slow,
}

/// Readings that cost milliseconds and steer nothing. `None`: not supported or not read.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Slow {
    pub graphics_clock: Option<Megahertz>,
    pub memory_clock: Option<Megahertz>,
    pub video_clock: Option<Megahertz>,
    pub performance_state: Option<u32>,
    /// The driver keeps the card's state while nobody has it open.
    pub persistence_mode: Option<bool>,
    pub memory_utilization: Option<Ratio>,
    pub memory_total_bytes: Option<u64>,
    pub memory_used_bytes: Option<u64>,
    pub energy_millijoules: Option<u64>,
    /// Per fan, in its order.
    pub fan_speeds: Vec<Option<Ratio>>,
    /// Volatile (since driver load), then aggregate (the card's life).
    pub ecc_corrected: [Option<u64>; 2],
    pub ecc_uncorrected: [Option<u64>; 2],
    /// Nanoseconds, in [`CountedEvent::ALL`]'s order.
    pub event_nanoseconds: [Option<u64>; CountedEvent::ALL.len()],
}

impl Reading {
    /// A reading of a card that doesn't answer.
    pub fn missing(at: Moment, why: Missing) -> Self {
        Self {
            at,
            core: Err(why),
            memory: Err(why),
            margin: Err(why),
            draw: Err(why),
            limit: Err(why),
            enforced_limit: Err(why),
            gpu_clock: Err(why),
            events: Err(why),
            utilization: Err(why),
            slow: Slow::default(),
        }
    }

    /// The limit that holds the card back, as far as it tells: the one asked for or, where that can't
    /// be read, the one in force.
    pub fn limit_on_card(&self) -> Option<Watts> {
        self.limit.or(self.enforced_limit).ok()
    }

    /// The card went away: its core sensor, which every card has, says so.
    pub fn is_lost(&self) -> bool {
        self.core == Err(Missing::Lost)
    }
}
