//! One telling of a story: the world around its cards, second by second, with what the cards
//! themselves change in it (each other's air, the clinic's queue).

use crate::device::plant::{Load, State};
use crate::device::profile::Profile;
use crate::device::sim::{Conditions, Fault};
use crate::policy::Level;

use super::physics::Truth;
use super::room::AIR_SECONDS;
use super::scenario::Scenario;
use super::ward::Ward;

/// A scenario on a card, for so long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story {
    pub(super) scenario: Scenario,
    pub(super) profile: &'static Profile,
    pub(super) seconds: u64,
}

impl Story {
    pub(super) fn cards(&self) -> usize {
        self.scenario.cards()
    }

    pub(super) fn hours(&self) -> f64 {
        self.seconds as f64 / 3600.0
    }
}

/// The application's batch size, as its thermal mode says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Batch {
    #[default]
    Normal,
    One,
}

/// Batch 8 to 1 kept 36–43 % on a V100 (llama.cpp).
pub(super) const BATCH_ONE_KEEPS: f64 = 0.37;

/// Chosen, not measured: one request at a time leaves most of the chip waiting. In favour of whoever
/// reduces the batch.
const BATCH_ONE_DRAWS: f64 = 0.7;

impl Batch {
    fn load(self, load: Load) -> Load {
        match self {
            Self::Normal => load,
            Self::One => Load {
                power: load.power * BATCH_ONE_DRAWS,
                ..load
            },
        }
    }

    fn keeps(self) -> f64 {
        match self {
            Self::Normal => 1.0,
            Self::One => BATCH_ONE_KEEPS,
        }
    }
}

/// What one second brought on one card. Work is in seconds of the load unlimited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    pub(super) truth: Truth,
    /// The core, whichever sensor is nearest to its limit.
    pub(super) core: f64,
    /// Share of the default limit.
    pub(super) draw: f64,
    pub(super) asked: f64,
    pub(super) work: f64,
    /// What the clock left of the speed, batch size apart.
    pub(super) speed: f64,
    pub(super) batch: Batch,
    pub(super) level: Level,
}

impl Passed {
    /// On a card that nothing slows.
    pub(super) const UNLIMITED: Self = Self {
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
pub(super) struct Meter {
    energy: f64,
    done: f64,
    asked: f64,
}

impl Meter {
    pub(super) fn read(&mut self, profile: &Profile, state: &State, batch: Batch) -> Passed {
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

/// The world of one run.
pub(super) struct Scene {
    story: Story,
    second: u64,
    /// What each card breathes out, as a share of its default limit, mixed into the air.
    breath: Vec<f64>,
    pub(super) ward: Option<Ward>,
}

impl Scene {
    pub(super) fn new(story: Story) -> Self {
        Self {
            story,
            second: 0,
            breath: vec![0.0; story.cards()],
            ward: (story.scenario == Scenario::Clinic).then(|| Ward::new(story.seconds)),
        }
    }

    /// How much of the story is told, 0 to 1.
    pub(super) fn past(&self) -> f64 {
        self.second as f64 / self.story.seconds as f64
    }

    pub(super) fn second(&self) -> u64 {
        self.second
    }

    pub(super) fn conditions(&self, card: usize, batch: Batch) -> Conditions {
        let others = self.breath.iter().sum::<f64>() - self.breath[card];
        let Story {
            scenario, profile, ..
        } = self.story;
        let around = match &self.ward {
            Some(ward) => ward.conditions(card),
            None => scenario.conditions(profile, self.past(), self.second, others),
        };
        Conditions {
            load: batch.load(around.load),
            ..around
        }
    }

    pub(super) fn fault(&self) -> Fault {
        self.story.scenario.fault(self.past())
    }

    pub(super) fn alert(&self) -> Option<Level> {
        self.story.scenario.alert(self.past())
    }

    /// A second later.
    pub(super) fn passed(&mut self, passed: &[Passed]) {
        for (breath, passed) in self.breath.iter_mut().zip(passed) {
            *breath += (passed.draw - *breath) / AIR_SECONDS;
        }
        if let Some(ward) = &mut self.ward {
            ward.passed(self.second, passed);
        }
        self.second += 1;
    }
}
