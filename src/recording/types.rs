//! A recording: what one or several cards told over time.

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

/// Of all cards of a file together: eight cards for a day, once a second. They take 100 MB.
pub const MOST_SAMPLES: usize = 700_000;

/// All cards of one file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Recording {
    pub cards: Vec<Card>,
}

/// One card over time.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Card {
    /// Its index, UUID or PCI address, as far as the file tells cards apart.
    pub name: String,
    /// In the order of time. The first one is at the start of the clock.
    pub samples: Vec<Sample>,
    /// The range of its power limit, if the file has it.
    pub default_limit: Option<Watts>,
    pub min_limit: Option<Watts>,
    pub max_limit: Option<Watts>,
}

/// The values of one card at one moment. `None`: the file has no such column, or no value there.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Sample {
    pub at: Moment,
    pub core: Option<Celsius>,
    pub memory: Option<Celsius>,
    /// Degrees to the maximum operating temperature.
    pub margin: Option<Celsius>,
    pub draw: Option<Watts>,
    pub limit: Option<Watts>,
    pub clock: Option<Megahertz>,
    pub fan: Option<Ratio>,
    pub utilization: Option<Ratio>,
}

impl Card {
    /// A card that can be judged: it has temperatures of its core, and its draw.
    pub fn has_core_and_draw(&self) -> bool {
        let has = |value: fn(&Sample) -> bool| self.samples.iter().any(value);
        has(|it| it.core.is_some()) && has(|it| it.draw.is_some())
    }

    /// The highest draw.
    pub fn highest_draw(&self) -> Option<Watts> {
        self.samples.iter().filter_map(|it| it.draw).max()
    }
}
