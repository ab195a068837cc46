//! One fit: the resistances of a card, and how well they are known.

use super::lags::{IN_AIR, LAGS};

/// The parts of recorded cards behind each lag.
const TYPICAL_SHARES: [f64; LAGS] = [0.25, 0.1, 0.5, 0.15];

/// The whole is known within a few per cent, its parts aren't.
const RECALLED_UNCERTAINTY: f64 = 0.15;

/// Fans that follow the temperature leave this of a change, for each share of their highest speed: 3 %
/// more speed for each degree, as recorded of a GTX 1080 Ti.
const FANS_LEAVE_LEAST: f64 = 0.6;

/// A card's temperature, as its draw explains it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::policy::cooling) struct Fit {
    /// The resistance behind each lag, in K/W.
    pub(in crate::policy::cooling) gains: [f64; LAGS],
    /// The standard error of their sum.
    pub(in crate::policy::cooling) error: f64,
    /// The mean square of what the fit leaves, in K².
    pub(in crate::policy::cooling) misfit: f64,
    /// The temperature without any draw, at the end of the window.
    pub(in crate::policy::cooling) rest: f64,
}

impl Fit {
    /// A card of which only the whole resistance is known.
    pub(in crate::policy::cooling) fn of(resistance: f64, uncertainty: f64) -> Self {
        Self {
            gains: TYPICAL_SHARES.map(|share| share * resistance),
            error: uncertainty * resistance,
            misfit: 0.0,
            rest: 0.0,
        }
    }

    /// One of which it was known before a restart.
    pub(in crate::policy::cooling) fn recalled(resistance: f64) -> Self {
        Self::of(resistance, RECALLED_UNCERTAINTY)
    }

    /// The whole resistance, if the fans let the air be as it is at full speed.
    pub(in crate::policy::cooling) fn resistance(&self) -> f64 {
        self.gains.iter().sum()
    }

    /// The whole resistance at `fans`, the factor on the resistance to the air.
    pub(in crate::policy::cooling) fn resistance_at(&self, fans: f64) -> f64 {
        let each = self.gains.iter().zip(IN_AIR);
        each.map(|(gain, in_air)| if in_air { gain * fans } else { *gain })
            .sum()
    }

    /// What a change of the draw does while fans at `speed`, a share of the highest, follow the
    /// temperature: they leave all of it, or as little as the steepest recorded curve at that speed. The
    /// middle is the one between the draws that follow from both.
    pub(in crate::policy::cooling) fn with_fans(mut self, speed: f64) -> Self {
        let least = FANS_LEAVE_LEAST * speed;
        let leave = 2.0 * least / (1.0 + least);
        let within = leave * (1.0 - least) / (1.0 + least);
        let mut in_air = 0.0;
        for (gain, _) in self.gains.iter_mut().zip(IN_AIR).filter(|(_, is)| *is) {
            in_air += *gain;
            *gain *= leave;
        }
        self.error = self.error.hypot(within * in_air);
        self
    }

    /// The standard error as a share of the resistance.
    pub(in crate::policy::cooling) fn uncertainty(&self) -> f64 {
        self.error / self.resistance().max(1e-6)
    }

    /// The rise over the air that the draw explains.
    pub(in crate::policy::cooling) fn rise(&self, draw: &[f64; LAGS], in_air: &[f64; LAGS]) -> f64 {
        let lags = (0..LAGS).map(|lag| {
            let draw = if IN_AIR[lag] { in_air[lag] } else { draw[lag] };
            self.gains[lag] * draw
        });
        lags.sum()
    }
}
