//! Shares, and shares per second.

use std::ops::{Add, Mul, Sub};
use std::time::Duration;

/// A share of a whole; 1.0 is all of it. Fan speeds may exceed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    pub const fn new(value: f64) -> Self {
        Self(value)
    }

    pub fn from_percent(percent: u32) -> Self {
        Self(f64::from(percent) / 100.0)
    }

    pub const ZERO: Self = Self(0.0);
    pub const WHOLE: Self = Self(1.0);

    /// The share that `part` is of `whole`.
    pub fn of(part: Duration, whole: Duration) -> Self {
        Self(part.as_secs_f64() / whole.as_secs_f64())
    }

    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }

    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    #[must_use]
    pub const fn clamp(self, least: Self, most: Self) -> Self {
        Self(self.0.clamp(least.0, most.0))
    }

    /// This share as a share of `whole`. A `whole` of next to nothing counts as a thousandth.
    #[must_use]
    pub fn share_of(self, whole: Self) -> Self {
        Self(self.0 / whole.0.max(1e-3))
    }

    /// A negative share counts as none.
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        Self(self.0.max(0.0).powf(exponent.0))
    }

    /// The natural logarithm. A share of next to nothing counts as a thousandth.
    #[must_use]
    pub fn ln(self) -> Self {
        Self(self.0.max(1e-3).ln())
    }

    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }

    pub const fn value(self) -> f64 {
        self.0
    }
}

impl Add for Ratio {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Ratio {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Mul for Ratio {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }
}

/// A share per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PerSecond(f64);

impl PerSecond {
    pub const fn new(per_second: f64) -> Self {
        Self(per_second)
    }
}

impl Mul<Duration> for PerSecond {
    type Output = Ratio;

    fn mul(self, duration: Duration) -> Ratio {
        Ratio(self.0 * duration.as_secs_f64())
    }
}
