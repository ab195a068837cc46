//! What one second did on each card: the work, the draw and the true temperature.

use crate::policy::Level;
use crate::sim::plant::{Load, State};
use crate::sim::profile::Profile;

use super::physics::Truth;

/// The application's batch size, by its thermal mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Batch {
    #[default]
    Normal,
    One,
}

/// Batch 8 to 1 kept 36–43 % on a V100 (llama.cpp).
pub(crate) const BATCH_ONE_KEEPS: f64 = 0.37;

/// Chosen, not measured: with one request at a time, most of the chip waits. It favours policies
/// that reduce the batch.
const BATCH_ONE_DRAWS: f64 = 0.7;

impl Batch {
    pub(crate) fn load(self, load: Load) -> Load {
        match self {
            Self::Normal => load,
            Self::One => Load {
                power: load.power * BATCH_ONE_DRAWS,
                ..load
            },
        }
    }

    pub(crate) fn keeps(self) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::One => BATCH_ONE_KEEPS,
        }
    }
}

/// One second of one card. Work is in seconds of the unlimited load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passed {
    pub(crate) truth: Truth,
    /// The core temperature, even if another sensor is nearer to its limit.
    pub(crate) core: f64,
    /// Share of the default limit.
    pub(crate) draw: f64,
    pub(crate) asked: f64,
    pub(crate) work: f64,
    /// The share of the speed that the clock left, apart from the batch size.
    pub(crate) speed: f64,
    pub(crate) batch: Batch,
    pub(crate) level: Level,
}

impl Passed {
    /// A second on a card without any throttle.
    pub(crate) const UNLIMITED: Self = Self {
        truth: Truth {
            celsius: 0.0,
            over_alert: 0.0,
        },
        core: 0.0,
        draw: 1.0,
        asked: 1.0,
        work: 1.0,
        speed: 1.0,
        batch: Batch::Normal,
        level: Level::None,
    };
}

/// Reads a card's totals once a second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    energy: f64,
    done: f64,
    asked: f64,
}

impl Meter {
    pub(crate) fn read(&mut self, profile: &Profile, state: &State, batch: Batch) -> Passed {
        let asked = state.work_asked - self.asked;
        let done = state.work_done - self.done;
        let draw = state.energy_joules - self.energy;
        *self = Self {
            energy: state.energy_joules,
            done: state.work_done,
            asked: state.work_asked,
        };
        Passed {
            truth: Truth::of(profile, state),
            core: state.die,
            draw: draw / profile.default_limit.as_f64(),
            asked,
            work: done * batch.keeps(),
            speed: if asked > 0.0 { done / asked } else { 1.0 },
            batch,
            level: Level::None,
        }
    }
}
