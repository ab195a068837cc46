//! The world around the cards of one run, second by second, including what the cards themselves
//! change in it: each other's air, and the clinic's queue.

use crate::policy::Level;
use crate::sim::card::{Conditions, Fault};

use super::clinic::workload::Workload;
use super::environment::AIR_SECONDS;
use super::meter::{Batch, Passed};
use super::scenario::{Scenario, Story};

/// The world of one run.
pub(crate) struct World {
    story: Story,
    second: u64,
    /// The heat of each card in the air, as a share of its default limit.
    breath: Vec<f64>,
    pub(crate) workload: Option<Workload>,
}

impl World {
    pub(crate) fn new(story: Story) -> Self {
        Self {
            story,
            second: 0,
            breath: vec![0.0; story.cards()],
            workload: (story.scenario == Scenario::Clinic).then(|| Workload::new(story.seconds)),
        }
    }

    /// The share of the story that is over, 0 to 1.
    pub(crate) fn past(&self) -> f64 {
        self.second as f64 / self.story.seconds as f64
    }

    pub(crate) fn second(&self) -> u64 {
        self.second
    }

    pub(crate) fn conditions(&self, card: usize, batch: Batch) -> Conditions {
        let others = self.breath.iter().sum::<f64>() - self.breath[card];
        let Story {
            scenario, profile, ..
        } = self.story;
        let around = match &self.workload {
            Some(workload) => workload.conditions(card),
            None => scenario.conditions(profile, self.past(), self.second, others),
        };
        Conditions {
            load: batch.load(around.load),
            ..around
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        self.story.scenario.fault(self.past())
    }

    pub(crate) fn alert(&self) -> Option<Level> {
        self.story.scenario.alert(self.past())
    }

    /// A second later.
    pub(crate) fn passed(&mut self, passed: &[Passed]) {
        for (breath, passed) in self.breath.iter_mut().zip(passed) {
            *breath += (passed.draw - *breath) / AIR_SECONDS;
        }
        if let Some(workload) = &mut self.workload {
            workload.passed(self.second, passed);
        }
        self.second += 1;
    }
}
