//! What a fit finds, or why there is none.

use std::fmt;

/// The power's effect on the core, mass by mass.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Modes {
    /// °C per watt and time constant in seconds; the first follows at once.
    pub masses: [(f64, f64); 3],
}

impl Modes {
    /// °C per watt, once everything has settled.
    pub fn resistance(&self) -> f64 {
        self.masses.iter().map(|(resistance, _)| resistance).sum()
    }

    /// Those that do something.
    pub fn present(&self) -> impl Iterator<Item = (f64, f64)> {
        let masses = self.masses.into_iter();
        masses.filter(|(resistance, _)| *resistance > 0.0)
    }
}

/// A fit, and how well it did on samples that it hadn't seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    pub modes: Modes,
    /// Whether the resistance of all but the first mass is divided by the fan's share of its highest
    /// speed.
    pub by_fan: bool,
    /// Root of the mean square error, on the fitted part and on the held-out one. The offset, air and
    /// all that is unknown, is each window's own.
    pub fitted_rms_celsius: f64,
    pub held_out_rms_celsius: f64,
    pub worst_celsius: f64,
    /// The held-out part has powers or fan speeds that the fitted part hasn't.
    pub beyond: bool,
    pub samples: usize,
    pub seconds: f64,
}

/// Why nothing can be fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unfit {
    TooFew {
        samples: usize,
    },
    SteadyPower {
        span_watts: f64,
    },
    SteadyTemperature {
        span_celsius: f64,
    },
    /// The temperature doesn't follow the power.
    Unexplained {
        rms_celsius: f64,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFew { samples: 0 } => f.write_str("no sample has both temperature and power"),
            Self::TooFew { samples } => {
                write!(f, "only {samples} samples with temperature and power")
            }
            Self::SteadyPower { span_watts } => {
                write!(f, "the power moved by {span_watts:.0} W only")
            }
            Self::SteadyTemperature { span_celsius } => {
                write!(f, "the temperature moved by {span_celsius:.0} °C only")
            }
            Self::Unexplained { rms_celsius } => write!(
                f,
                "the temperature doesn't follow the power ({rms_celsius:.1} °C off): other air, a fan or neighbours decide it"
            ),
        }
    }
}
