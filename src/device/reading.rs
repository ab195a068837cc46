//! The readings of one GPU at one moment.

use std::fmt;

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::error::ErrorCode;
use super::knob::ClockDomain;
use super::slowdown::{SlowdownReason, SlowdownReasons};

/// Why a value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The card or driver says that it has no such value. The policy's judge decides over several
    /// answers whether that is true.
    NotSupported,
    /// This read failed, with the driver's code.
    Failed(ErrorCode),
    /// The card answered with this number, which can't be a measurement.
    Implausible(i64),
    /// A second read at once didn't confirm the first one.
    Unconfirmed,
    /// The card is gone (off the bus, needs a reset), or the driver was unloaded. The handle is
    /// useless; the GPU must be opened again.
    Lost,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str("not supported"),
            Self::Failed(code) => code.fmt(f),
            Self::Implausible(value) => write!(f, "says {value}, which can't be"),
            Self::Unconfirmed => f.write_str("a second read didn't confirm it"),
            Self::Lost => f.write_str("GPU or driver lost"),
        }
    }
}

/// The readings of one tick. A value that couldn't be read says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub at: Moment,
    pub core: Result<Celsius, Missing>,
    pub memory: Result<Celsius, Missing>,
    /// Degrees to the maximum operating temperature, over all internal sensors. Negative above it.
    pub margin: Result<Celsius, Missing>,
    pub draw: Result<Watts, Missing>,
    /// The requested limit: the last `set_power_limit` of any program.
    pub limit: Result<Watts, Missing>,
    /// The limit in force, including out-of-band limits.
    pub enforced_limit: Result<Watts, Missing>,
    pub gpu_clock: Result<Megahertz, Missing>,
    pub slowdown_reasons: Result<SlowdownReasons, Missing>,
    /// Share of time with a kernel running.
    pub utilization: Result<Ratio, Missing>,
    /// The slow readings, of this tick or of an earlier one.
    pub slow: Slow,
}

/// More than any card has. A larger number is wrong, and must not cost memory.
pub const MOST_FANS: usize = 16;

/// One fan of a card, as far as the card tells.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Fan {
    /// The intended speed as a share of the maximum, which it may exceed. It isn't measured: a
    /// blocked fan has one, too.
    pub speed: Option<Ratio>,
    /// The measured revolutions per minute.
    pub rpm: Option<u32>,
    /// The speed that the card's firmware or a program aims at.
    pub target: Option<Ratio>,
    pub policy: Option<FanPolicy>,
}

/// Who sets the speed of a fan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FanPolicy {
    /// The card's firmware, by the temperature.
    Automatic,
    /// A program, and the speed stays whatever the temperature.
    Manual,
}

impl FanPolicy {
    pub const ALL: [Self; 2] = [Self::Automatic, Self::Manual];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
        }
    }
}

/// Readings that cost milliseconds. No throttle follows from them. `None`: not supported or not
/// read.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Slow {
    pub graphics_clock: Option<Megahertz>,
    pub memory_clock: Option<Megahertz>,
    pub video_clock: Option<Megahertz>,
    pub performance_state: Option<u32>,
    /// The driver keeps the card's state while no program has it open.
    pub persistence_mode: Option<bool>,
    pub memory_utilization: Option<Ratio>,
    pub memory_total_bytes: Option<u64>,
    pub memory_used_bytes: Option<u64>,
    pub energy_millijoules: Option<u64>,
    /// At most [`MOST_FANS`].
    pub fans: Vec<Fan>,
    /// Volatile (since driver load), then aggregate (the card's life).
    pub ecc_corrected: [Option<u64>; 2],
    pub ecc_uncorrected: [Option<u64>; 2],
    /// Nanoseconds, in the order of [`SlowdownReason::TIMED`].
    pub slowdown_nanoseconds: [Option<u64>; SlowdownReason::TIMED.len()],
    pub power_profiles: Option<PowerProfiles>,
}

/// Settings for a kind of work that a card offers under a number, such as one for inference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PowerProfiles {
    pub supported: ProfileSet,
    /// Programs asked for these.
    pub requested: ProfileSet,
    /// In force, after the card resolved which of them exclude each other.
    pub enforced: ProfileSet,
}

/// A set of profiles, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ProfileSet([u32; 8]);

impl ProfileSet {
    /// Profile n is bit n, from the lowest bit of the first word on.
    pub const fn new(mask: [u32; 8]) -> Self {
        Self(mask)
    }

    pub fn contains(self, number: u8) -> bool {
        let word = self.0[usize::from(number / 32)];
        word >> (number % 32) & 1 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |number| self.contains(*number))
    }
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
            slowdown_reasons: Err(why),
            utilization: Err(why),
            slow: Slow::default(),
        }
    }

    /// The limit that holds the card back, as far as is known: the requested one or, if that can't be
    /// read, the one in force.
    pub fn limit_on_card(&self) -> Option<Watts> {
        self.limit.or(self.enforced_limit).ok()
    }

    /// The clock that a lock of this domain holds down.
    pub fn clock(&self, domain: ClockDomain) -> Option<Megahertz> {
        match domain {
            ClockDomain::Gpu => self.gpu_clock.ok(),
            ClockDomain::Memory => self.slow.memory_clock,
        }
    }

    /// The card is gone, by the answer of its core sensor.
    pub fn is_lost(&self) -> bool {
        self.core == Err(Missing::Lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::error::any_code;

    #[test]
    fn a_missing_value_says_why() {
        let said = |missing: Missing| missing.to_string();
        let failed = Missing::Failed(any_code(999));
        assert_eq!(said(failed), "some code 999");
        assert_eq!(said(Missing::NotSupported), "not supported");
        assert_eq!(said(Missing::Implausible(255)), "says 255, which can't be");
    }
}
