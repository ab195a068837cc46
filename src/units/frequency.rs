//! Clock frequencies.

use std::fmt;

use super::ratio::Ratio;

/// A clock frequency, in whole megahertz as drivers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Megahertz(u32);

impl Megahertz {
    pub const fn new(megahertz: u32) -> Self {
        Self(megahertz)
    }

    pub const fn megahertz(self) -> u32 {
        self.0
    }

    /// This clock as a share of `whole`. A `whole` under 1 MHz counts as 1 MHz.
    pub fn share_of(self, whole: Self) -> Ratio {
        Ratio::new(f64::from(self.0) / f64::from(whole.0.max(1)))
    }

    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
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
