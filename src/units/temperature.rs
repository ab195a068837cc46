//! Temperatures, their differences, and how fast they change.

use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};
use std::time::Duration;

use super::ratio::Ratio;

/// A temperature, or its distance to a threshold. Drivers mostly give whole degrees.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Celsius(f64);

impl Celsius {
    pub const fn new(degrees: f64) -> Self {
        Self(degrees)
    }

    /// The kernel's hwmon counts in these.
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

/// A difference of two temperatures.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default)]
pub struct CelsiusDelta(f64);

impl CelsiusDelta {
    pub const ZERO: Self = Self(0.0);

    pub const fn new(degrees: f64) -> Self {
        Self(degrees)
    }

    pub const fn degrees(self) -> f64 {
        self.0
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    /// A change of this much each second.
    pub const fn per_second(self) -> CelsiusPerSecond {
        CelsiusPerSecond(self.0)
    }
}

impl Add for CelsiusDelta {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for CelsiusDelta {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for CelsiusDelta {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for CelsiusDelta {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Mul<Ratio> for CelsiusDelta {
    type Output = Self;

    fn mul(self, share: Ratio) -> Self {
        Self(self.0 * share.value())
    }
}

impl Div for CelsiusDelta {
    type Output = Ratio;

    fn div(self, whole: Self) -> Ratio {
        Ratio::new(self.0 / whole.0)
    }
}

/// How fast a temperature changes.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default)]
pub struct CelsiusPerSecond(f64);

impl CelsiusPerSecond {
    pub const fn new(degrees: f64) -> Self {
        Self(degrees)
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// No faster than `most`, up or down.
    #[must_use]
    pub const fn at_most(self, most: Self) -> Self {
        Self(self.0.clamp(-most.0, most.0))
    }
}

impl Mul<Duration> for CelsiusPerSecond {
    type Output = CelsiusDelta;

    fn mul(self, duration: Duration) -> CelsiusDelta {
        CelsiusDelta(self.0 * duration.as_secs_f64())
    }
}

impl Mul<Ratio> for CelsiusPerSecond {
    type Output = Self;

    fn mul(self, share: Ratio) -> Self {
        Self(self.0 * share.value())
    }
}

impl AddAssign for CelsiusPerSecond {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for CelsiusPerSecond {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}
