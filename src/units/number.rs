//! The number in a quantity, for tests.

use std::time::Duration;

use super::{CelsiusDelta, CelsiusPerSecond, Ratio};

pub(crate) trait Number {
    fn number(self) -> f64;
}

impl Number for f64 {
    fn number(self) -> f64 {
        self
    }
}

impl Number for CelsiusDelta {
    fn number(self) -> f64 {
        self.degrees()
    }
}

impl Number for CelsiusPerSecond {
    fn number(self) -> f64 {
        (self * Duration::from_secs(1)).degrees()
    }
}

impl Number for Ratio {
    fn number(self) -> f64 {
        self.value()
    }
}

/// Equal but for rounding.
pub(crate) fn near(a: impl Number, b: f64) -> bool {
    (a.number() - b).abs() < 1e-6
}
