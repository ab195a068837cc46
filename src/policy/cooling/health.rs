//! What is known of a card's cooling, and what it is known from.

use crate::units::{Celsius, Moment, Ratio, Watts};

use super::history::{Kept, Than};
use super::picture::PICTURES;

/// A card cools worse from here on, and no longer from here on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    worse: f64,
    well_again: f64,
}

impl Line {
    /// A card that cools 20 % worse must be found, so the line is under that: three standard errors of a
    /// median over five fits.
    pub(super) const WITHOUT_FANS: Self = Self {
        worse: 1.12,
        well_again: 1.07,
    };
    /// What a card's own fans do is only known within some 15 %, and differs from load to load.
    pub(super) const WITH_FANS: Self = Self {
        worse: 1.3,
        well_again: 1.2,
    };
}

/// One reading of a card whose sensors are trusted.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub at: Moment,
    pub core: Celsius,
    /// The smallest margin to alert.
    pub to_alert: Celsius,
    pub draw: Watts,
    /// The mean speed of the card's fans. `None`: it has none, or doesn't tell.
    pub fans: Option<Ratio>,
    /// The air's temperature, where a sensor measures it.
    pub air: Option<Celsius>,
    pub default_limit: Option<Watts>,
    /// Without the guard.
    pub limit: Option<Watts>,
}

/// What is known of a card's cooling. What isn't known is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Health {
    /// To the air, in K/W.
    pub resistance: Option<f64>,
    pub baseline: Option<f64>,
    /// The resistance over the baseline.
    pub ratio: Option<Ratio>,
    /// The same, over that of the neighbours of its model.
    pub beside_neighbours: Option<Ratio>,
    /// It cools worse than this. `None`: unknown.
    pub worse: [Option<bool>; Than::ALL.len()],
    pub sustainable: Option<Watts>,
}

impl Health {
    pub const fn is_worse(&self, than: Than) -> Option<bool> {
        self.worse[than as usize]
    }

    /// With a hysteresis.
    pub(super) fn judge(&mut self, than: Than, ratio: Option<f64>, line: Line) {
        let was = self.worse[than as usize] == Some(true);
        let line = if was { line.well_again } else { line.worse };
        self.worse[than as usize] = ratio.map(|ratio| ratio >= line);
    }
}

/// What outlives a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remembered {
    pub pictures: [Kept; PICTURES],
    /// The air at the card less the air at the sensor.
    pub air_offset: Option<f64>,
    /// How much better the fans' part explains the readings than without it.
    pub fans_score: f64,
}

impl Remembered {
    pub fn is_something(&self) -> bool {
        self.pictures.iter().any(|it| !it.fits.is_empty())
    }
}
