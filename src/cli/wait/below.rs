//! What counts as cool.

use std::fmt;

use crate::policy::Heat;
use crate::units::Celsius;

/// A bound that a GPU is to be below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Below {
    /// At or below it, by the guard's own rule for giving back.
    Safe,
    Alert,
    /// Of the core sensor.
    Degrees(Celsius),
}

/// No card in a room is colder than the one, and none outlives the other.
const DEGREES: std::ops::RangeInclusive<f64> = 1.0..=150.0;

impl Below {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "safe" => Ok(Self::Safe),
            "alert" => Ok(Self::Alert),
            number => match number.parse() {
                Ok(degrees) if DEGREES.contains(&degrees) => {
                    Ok(Self::Degrees(Celsius::new(degrees)))
                }
                _ => Err("`safe`, `alert`, or a number of °C from 1 to 150".to_owned()),
            },
        }
    }

    /// Degrees left to the bound; negative above it. `None`: the card has no core sensor.
    pub(super) fn left(self, heat: &Heat, core: Option<Celsius>) -> Option<Celsius> {
        match self {
            Self::Safe => Some(heat.to_safe),
            Self::Alert => Some(heat.to_alert),
            Self::Degrees(bound) => core.map(|core| bound - core),
        }
    }

    pub(super) fn is_kept(self, left: Celsius) -> bool {
        match self {
            Self::Safe => left.degrees() >= 0.0,
            Self::Alert | Self::Degrees(_) => left.degrees() > 0.0,
        }
    }

    /// `at or below safe`.
    pub(super) fn described(self) -> String {
        match self {
            Self::Safe => "at or below safe".to_owned(),
            Self::Alert | Self::Degrees(_) => format!("below {self}"),
        }
    }
}

impl fmt::Display for Below {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Safe => f.write_str("safe"),
            Self::Alert => f.write_str("alert"),
            Self::Degrees(bound) => write!(f, "{bound}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_itself_is_cool_and_the_other_bounds_are_not() {
        for (below, at_it) in [
            (Below::Safe, true),
            (Below::Alert, false),
            (Below::Degrees(Celsius::new(60.0)), false),
        ] {
            assert_eq!(below.is_kept(Celsius::new(0.0)), at_it, "{below}");
            assert!(below.is_kept(Celsius::new(0.5)) && !below.is_kept(Celsius::new(-0.5)));
        }
    }

    #[test]
    fn a_bound_is_a_name_or_a_plausible_number() {
        assert_eq!(Below::parse("safe"), Ok(Below::Safe));
        assert_eq!(Below::parse("60.5"), Ok(Below::Degrees(Celsius::new(60.5))));
        for bad in ["", "critical", "0", "-3", "151", "NaN", "60C"] {
            assert!(Below::parse(bad).is_err(), "{bad:?}");
        }
    }
}
