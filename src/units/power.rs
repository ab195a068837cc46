//! Electrical power.

use std::fmt;

use super::ratio::Ratio;

/// Electrical power, in a driver's milliwatts, so that the guard gives back a limit exactly.
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

    /// This power as a share of `whole`. A `whole` under 1 W counts as 1 W.
    pub fn share_of(self, whole: Self) -> Ratio {
        Ratio::new(self.as_f64() / whole.as_f64().max(1.0))
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
