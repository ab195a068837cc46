//! A policy at work in a world. Each second, the world changes, the guard acts, and the meters are
//! read.

use std::time::Duration;

use crate::device::ClockRange;
use crate::policy::{AppMode, Level, State};
use crate::sim::card::Fault;
use crate::sim::node::{AT_REST, Node};
use crate::units::Watts;

use super::fixed_step::FixedStep;
use super::meter::{Batch, Meter, Passed};
use super::policy::Policy;
use super::scenario::Story;
use super::world::World;

/// The renewal interval of Alertmanager, and the time to live of the default configuration.
const RENEWAL_SECONDS: u64 = 15;
const LEASE: Duration = Duration::from_secs(30);

/// The longest cool-down. It ends sooner if everything has been back for the second time.
const COOL_DOWN_SECONDS: u64 = 2 * 3600;
const BACK_SECONDS: u64 = 60;

/// The settings that a guard can leave on a card.
pub(crate) type Footprint = (Watts, Option<ClockRange>, Option<ClockRange>);

pub(crate) fn footprints(node: &Node, cards: usize) -> Vec<Footprint> {
    let footprint = |index| {
        let card = node.rack.card(index);
        (card.limit, card.gpu_clock, card.memory_clock)
    };
    (0..cards).map(footprint).collect()
}

/// A policy at work on the node.
pub(crate) enum Guard {
    Nobody,
    Scripts(Vec<FixedStep>),
    /// The real workers, and their last decisions.
    Workers(Vec<(Level, AppMode, State)>),
}

impl Guard {
    pub(crate) fn new(policy: Policy, node: &Node, cards: usize) -> Self {
        match policy {
            Policy::None => Self::Nobody,
            Policy::FixedStep { latency_seconds } => {
                let latency = Duration::from_secs(latency_seconds);
                let scripts =
                    (0..cards).filter_map(|card| Some(FixedStep::new(node.open(card)?, latency)));
                Self::Scripts(scripts.collect())
            }
            Policy::Ladder | Policy::Governor => {
                Self::Workers(vec![(Level::None, AppMode::Normal, State::Normal); cards])
            }
        }
    }

    fn step(&mut self, node: &mut Node) {
        match self {
            Self::Nobody => {
                node.step_unguarded();
            }
            Self::Scripts(scripts) => {
                let now = node.step_unguarded();
                for script in scripts {
                    script.tick(now);
                }
            }
            Self::Workers(said) => {
                let decisions = node.step().into_iter().map(|tick| tick.decision);
                *said = decisions
                    .map(|decision| (decision.level, decision.targets.app, decision.state))
                    .collect();
            }
        }
    }

    /// Whether this card is throttled.
    fn level(&self, card: usize) -> Level {
        match self {
            Self::Scripts(scripts) if scripts[card].is_throttled() => Level::Gradual,
            Self::Workers(said) => said[card].0,
            Self::Nobody | Self::Scripts(_) => Level::None,
        }
    }

    /// The application follows its mode.
    fn batch(&self, card: usize) -> Batch {
        match self {
            Self::Scripts(scripts) => scripts[card].batch(),
            Self::Workers(said) if said[card].1 >= AppMode::GradualBatch => Batch::One,
            Self::Nobody | Self::Workers(_) => Batch::Normal,
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Nobody => true,
            Self::Scripts(scripts) => !scripts.iter().any(FixedStep::is_throttled),
            Self::Workers(said) => said.iter().all(|said| said.2 == State::Normal),
        }
    }
}

/// A guard, its world, and the meters that watch both.
pub(crate) struct Runner {
    pub(crate) world: World,
    guard: Guard,
    meters: Vec<Meter>,
    story: Story,
}

impl Runner {
    pub(crate) fn new(story: Story, guard: Guard) -> Self {
        Self {
            world: World::new(story),
            guard,
            meters: vec![Meter::default(); story.cards()],
            story,
        }
    }

    pub(crate) fn step(&mut self, node: &mut Node) -> Vec<Passed> {
        let mut batches = Vec::with_capacity(self.meters.len());
        for card in 0..self.meters.len() {
            let batch = self.guard.batch(card);
            batches.push(batch);
            node.set(card, self.world.conditions(card, batch));
            node.fault(card, self.world.fault());
            if let Some(level) = self.world.alert()
                && self.world.second().is_multiple_of(RENEWAL_SECONDS)
            {
                node.fire(card, 1, level, LEASE);
            }
        }
        self.guard.step(node);
        let mut passed = Vec::with_capacity(self.meters.len());
        for (card, (meter, batch)) in self.meters.iter_mut().zip(batches).enumerate() {
            let mut second = meter.read(self.story.profile, &node.rack.card(card).state, batch);
            second.level = self.guard.level(card);
            passed.push(second);
        }
        self.world.passed(&passed);
        passed
    }

    /// After the story: no load, cool air and sensors without faults. True: everything is as
    /// before.
    pub(crate) fn cool_down(&mut self, node: &mut Node, before: &[Footprint]) -> bool {
        for card in 0..self.meters.len() {
            node.set(card, AT_REST);
            node.fault(card, Fault::None);
        }
        let mut back = 0;
        for _ in 0..COOL_DOWN_SECONDS {
            self.guard.step(node);
            let is_back = self.guard.is_done() && footprints(node, before.len()) == before;
            back = if is_back { back + 1 } else { 0 };
            if back == BACK_SECONDS {
                return true;
            }
        }
        false
    }
}
