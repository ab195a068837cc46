//! Cards of a node in a room that swings by 8 °C in a day, each with its own air and its own jobs.

use std::time::Duration;

use thermal_guard::guard::Tick;
use thermal_guard::policy::Settings;
use thermal_guard::sim::profile::Profile;

use super::any_card::{around, load};
use crate::common::dice::Dice;
use crate::common::virtual_node::Node;

/// A slow poll, as on a busy node: a day is 17,280 ticks.
const POLL: Duration = Duration::from_secs(5);
const POLLS_PER_HOUR: u64 = 720;
const DAY: f64 = 86_400.0;

const INLET: f64 = 22.0;
const SWING: f64 = 4.0;

pub(super) struct Room {
    pub(super) node: Node,
    profile: &'static Profile,
    /// A factor on the whole resistance to the air, for each card.
    pub(super) positions: Vec<f64>,
    jobs: Vec<Job>,
    /// A job lasts between one minute and so many.
    longest_minutes: f64,
    dice: Dice,
}

#[derive(Clone, Copy, Default)]
struct Job {
    power: f64,
    polls_left: u64,
}

impl Room {
    pub(super) fn new(
        profile: &'static Profile,
        positions: &[f64],
        longest_minutes: f64,
        dice: Dice,
    ) -> Self {
        let profiles: Vec<_> = positions.iter().map(|_| profile).collect();
        Self {
            node: Node::new(&profiles, &Settings::default()),
            profile,
            positions: positions.to_vec(),
            jobs: vec![Job::default(); positions.len()],
            longest_minutes,
            dice,
        }
    }

    pub(super) fn poll(&mut self) -> Vec<Tick> {
        let seconds = self.node.now().since_start().as_secs_f64();
        let inlet = INLET + SWING * (seconds / DAY * std::f64::consts::TAU).sin();
        for card in 0..self.positions.len() {
            let load = load(self.power(card));
            let airflow = self.sink_factor(self.positions[card]);
            self.node.set(card, around(load, inlet, airflow));
        }
        self.node.step_by(POLL)
    }

    /// How many hours until `done`, at most `most`.
    pub(super) fn hours_until(&mut self, most: u64, done: impl Fn(&[Tick]) -> bool) -> Option<f64> {
        let polls = most * POLLS_PER_HOUR;
        let at = (1..=polls).find(|_| done(&self.poll()))?;
        Some(at as f64 / POLLS_PER_HOUR as f64)
    }

    fn power(&mut self, card: usize) -> f64 {
        let job = &mut self.jobs[card];
        if job.polls_left == 0 {
            let minutes = self.longest_minutes.powf(self.dice.between(0.0, 1.0));
            let lasts = Duration::from_secs_f64(minutes * 60.0);
            job.polls_left = 1 + lasts.as_secs() / POLL.as_secs();
            job.power = if self.dice.one_in(4) {
                0.0
            } else {
                self.dice.between(0.25, 0.7)
            };
        }
        job.polls_left -= 1;
        job.power
    }

    /// A factor on the resistance from the sink to the air that makes the whole one `whole` times as
    /// large.
    fn sink_factor(&self, whole: f64) -> f64 {
        let thermal = &self.profile.thermal;
        let (die, sink) = (thermal.die_resistance(), thermal.sink_resistance());
        1.0 + (whole - 1.0) * (die + sink + thermal.case_resistance()) / sink
    }
}
