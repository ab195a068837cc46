//! The counters of one GPU since the guard started: a fold of its ticks.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::sync::Arc;
use std::time::Duration;

use crate::guard::outcomes::{Action, ActionResult, Outcomes, Xid};
use crate::policy::cooling::Work;
use crate::policy::sense::firmware::STEP;
use crate::policy::{Decision, Level, SlowdownTurn, Transition, Trigger};

/// Counters of one GPU. They start at 0 and only grow.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// By level (gradual, emergency) and [`Trigger::ALL`].
    pub throttles: [[u64; Trigger::ALL.len()]; 2],
    pub recoveries: u64,
    /// By level (gradual, emergency).
    pub throttled: [Duration; 2],
    /// The card slowed itself down for heat while the guard held nothing.
    pub own_slowdowns: u64,
    pub own_slowdown: Duration,
    /// Work that throttles took, and that the card's own slowdown would have taken meanwhile.
    pub work_lost: Duration,
    pub unguarded_work_lost: Duration,
    pub actions: ActionCounts,
    pub foreign_limits: u64,
    pub read_failures: u64,
    pub journal_failures: u64,
    pub reopened: u64,
    pub xids: Arc<BTreeMap<u64, XidCount>>,
}

/// How many writes of each kind went how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionCounts([[u64; ActionResult::ALL.len()]; Action::COUNT]);

impl ActionCounts {
    /// In the order of [`Action::ALL`] and [`ActionResult::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Action, ActionResult, u64)> {
        Action::ALL.into_iter().flat_map(move |action| {
            let results = ActionResult::ALL.into_iter();
            results.map(move |result| (action, result, self[(action, result)]))
        })
    }
}

impl Index<(Action, ActionResult)> for ActionCounts {
    type Output = u64;

    fn index(&self, (action, result): (Action, ActionResult)) -> &u64 {
        &self.0[action.index()][result as usize]
    }
}

impl IndexMut<(Action, ActionResult)> for ActionCounts {
    fn index_mut(&mut self, (action, result): (Action, ActionResult)) -> &mut u64 {
        &mut self.0[action.index()][result as usize]
    }
}

/// One Xid code's history.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct XidCount {
    pub count: u64,
    /// Since the Unix epoch.
    pub last: Duration,
}

impl Counters {
    /// Adds one tick: what was decided, `step` after the decision before, and what happened.
    pub fn add(&mut self, decision: &Decision, step: Duration, outcomes: &Outcomes) {
        self.add_decision(decision, step);
        self.add_outcomes(outcomes);
    }

    /// Adds what happened outside of a decision: when the guard let go of the GPU.
    pub fn add_outcomes(&mut self, outcomes: &Outcomes) {
        for &(action, result) in &outcomes.actions {
            self.actions[(action, result)] += 1;
        }
        self.foreign_limits += u64::from(outcomes.foreign_limit);
        self.read_failures += u64::from(outcomes.read_failed);
        self.journal_failures += outcomes.journal_failures;
        self.reopened += u64::from(outcomes.reopened);
        for xid in &outcomes.xids {
            self.add_xid(*xid);
        }
    }

    pub fn add_work(&mut self, work: Work) {
        self.work_lost += work.lost;
        self.unguarded_work_lost += work.lost_unguarded;
    }

    fn add_decision(&mut self, decision: &Decision, step: Duration) {
        match decision.transition {
            Some(Transition::Throttled(level, trigger)) => {
                self.throttles[level_index(level)][trigger as usize] += 1;
            }
            Some(Transition::Blinded) => {
                let trigger = decision.trigger.unwrap_or(Trigger::Local);
                self.throttles[0][trigger as usize] += 1;
            }
            Some(Transition::Recovered) => self.recoveries += 1,
            Some(Transition::Eased | Transition::Recovering) | None => {}
        }
        let firmware = &decision.firmware;
        self.own_slowdowns += u64::from(firmware.turn == Some(SlowdownTurn::Began));
        if firmware.slowdown.is_some() {
            // As the event counts it.
            self.own_slowdown += if step <= STEP { step } else { Duration::ZERO };
        }
        if decision.level > Level::None {
            self.throttled[level_index(decision.level)] += step;
        }
    }

    fn add_xid(&mut self, Xid { code, at }: Xid) {
        let entry = Arc::make_mut(&mut self.xids).entry(code).or_default();
        entry.count += 1;
        entry.last = at;
    }

    pub fn throttle_events(&self) -> u64 {
        self.throttles.iter().flatten().sum()
    }
}

const fn level_index(level: Level) -> usize {
    match level {
        Level::None | Level::Gradual => 0,
        Level::Emergency => 1,
    }
}
