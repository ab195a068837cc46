//! Physical quantities. The only place that converts between NVML's integers, the policy's
//! arithmetic and Prometheus's base units.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A temperature, or a difference of two. NVML mostly gives whole degrees.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Celsius(f64);

impl Celsius {
    pub const fn new(degrees: f64) -> Self {
        Self(degrees)
    }

    /// As the kernel's hwmon counts.
    pub const fn from_millidegrees(millidegrees: f64) -> Self {
        Self(millidegrees / 1000.0)
    }

    pub const fn degrees(self) -> f64 {
        self.0
    }

    pub fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    pub fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
}

impl Add for Celsius {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Celsius {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Display for Celsius {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} °C", self.0)
    }
}

/// Electrical power, kept in NVML's milliwatts so that a limit is given back exactly as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Watts(u32);

impl Watts {
    pub const fn from_milliwatts(milliwatts: u32) -> Self {
        Self(milliwatts)
    }

    pub const fn from_watts(watts: u32) -> Self {
        Self(watts * 1000)
    }

    /// Nearest milliwatt; negative and not-a-number become 0, too large saturates.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates, which is the behaviour documented"
    )]
    pub fn from_f64(watts: f64) -> Self {
        Self((watts * 1000.0).round() as u32)
    }

    pub const fn milliwatts(self) -> u32 {
        self.0
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// `ratio` of this power, rounded to whole watts: drivers and people think in those.
    pub fn scaled(self, ratio: Ratio) -> Self {
        Self::from_f64((self.as_f64() * ratio.value()).round())
    }

    /// Lower, by no more than drivers round: 5 W.
    pub fn is_just_under(self, other: Self) -> bool {
        self < other && other.saturating_sub(self) <= Self::from_watts(5)
    }

    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Watts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{} W", self.0 / 1000)
        } else {
            write!(f, "{:.1} W", self.as_f64())
        }
    }
}

/// A clock frequency as NVML counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Megahertz(u32);

impl Megahertz {
    pub const fn new(megahertz: u32) -> Self {
        Self(megahertz)
    }

    pub const fn megahertz(self) -> u32 {
        self.0
    }

    pub fn hertz(self) -> f64 {
        f64::from(self.0) * 1e6
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a ratio of a u32 clock, never negative, fits"
    )]
    pub fn scaled(self, ratio: Ratio) -> Self {
        Self((f64::from(self.0) * ratio.value()).round() as u32)
    }
}

impl fmt::Display for Megahertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MHz", self.0)
    }
}

/// A share of a whole; 1.0 is all of it. Fan speeds may exceed it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    pub const fn new(value: f64) -> Self {
        Self(value)
    }

    pub fn from_percent(percent: u32) -> Self {
        Self(f64::from(percent) / 100.0)
    }

    pub const fn value(self) -> f64 {
        self.0
    }
}

/// A point on a monotonic clock, counted from its start. The policy's only notion of time: an
/// argument, never read, so that a day can be simulated in under a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(Duration);

impl Moment {
    pub const START: Self = Self(Duration::ZERO);

    pub const fn from_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    pub fn from_secs_f64(seconds: f64) -> Self {
        Self(Duration::from_secs_f64(seconds))
    }

    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// Time passed since `earlier`; zero if that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_survives_the_round_trip_exactly() {
        for milliwatts in [0, 1, 249_999, 250_000, 333_333, 700_000, u32::MAX] {
            assert_eq!(
                Watts::from_f64(Watts::from_milliwatts(milliwatts).as_f64()).milliwatts(),
                milliwatts
            );
        }
    }

    #[test]
    fn power_from_nonsense_is_bounded() {
        assert_eq!(Watts::from_f64(-5.0), Watts::default());
        assert_eq!(Watts::from_f64(f64::NAN), Watts::default());
        assert_eq!(Watts::from_f64(f64::INFINITY).milliwatts(), u32::MAX);
    }

    #[test]
    fn a_scaled_limit_is_whole_watts() {
        assert_eq!(
            Watts::from_watts(400).scaled(Ratio::new(0.48)),
            Watts::from_watts(192)
        );
        assert_eq!(
            Watts::from_watts(350).scaled(Ratio::new(0.77)),
            Watts::from_watts(270)
        );
    }
}
