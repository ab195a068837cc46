//! What has happened on one GPU since the guard started, counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::device::ActuatorError;
use crate::policy::{Decision, Event, Level, Trigger};

/// A kind of write to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    PowerLimit,
    GpuClockLock,
    GpuClockReset,
    MemoryClockLock,
    MemoryClockReset,
}

impl Action {
    pub const ALL: [Self; 5] = [
        Self::PowerLimit,
        Self::GpuClockLock,
        Self::GpuClockReset,
        Self::MemoryClockLock,
        Self::MemoryClockReset,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerLimit => "power_limit",
            Self::GpuClockLock => "gpu_clock_lock",
            Self::GpuClockReset => "gpu_clock_reset",
            Self::MemoryClockLock => "memory_clock_lock",
            Self::MemoryClockReset => "memory_clock_reset",
        }
    }
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionResult {
    Ok,
    /// `mode: observe`: computed, not written.
    Observed,
    /// Written, but the card reads back something else.
    NotTaken,
    NoPermission,
    OutOfRange,
    Unsupported,
    Lost,
    Failed,
    /// A raise that waits because the journal can't be written.
    Unjournaled,
}

impl ActionResult {
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Observed,
        Self::NotTaken,
        Self::NoPermission,
        Self::OutOfRange,
        Self::Unsupported,
        Self::Lost,
        Self::Failed,
        Self::Unjournaled,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Observed => "observed",
            Self::NotTaken => "not_taken",
            Self::NoPermission => "no_permission",
            Self::OutOfRange => "out_of_range",
            Self::Unsupported => "unsupported",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Unjournaled => "unjournaled",
        }
    }
}

impl From<ActuatorError> for ActionResult {
    fn from(error: ActuatorError) -> Self {
        match error {
            ActuatorError::NoPermission => Self::NoPermission,
            ActuatorError::OutOfRange => Self::OutOfRange,
            ActuatorError::Unsupported => Self::Unsupported,
            ActuatorError::Lost => Self::Lost,
            ActuatorError::Transient(_) => Self::Failed,
        }
    }
}

/// Counters of one GPU. They start at 0 and only grow.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By level (gradual, emergency) and [`Trigger::ALL`].
    pub throttles: [[u64; Trigger::ALL.len()]; 2],
    pub recoveries: u64,
    /// By level (gradual, emergency).
    pub throttled: [Duration; 2],
    /// By [`Action::ALL`] and [`ActionResult::ALL`].
    pub actions: [[u64; ActionResult::ALL.len()]; Action::ALL.len()],
    pub foreign_limits: u64,
    pub read_failures: u64,
    pub journal_failures: u64,
    pub reopened: u64,
    pub xids: Arc<BTreeMap<u64, XidCount>>,
}

/// One Xid code's history.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct XidCount {
    pub count: u64,
    /// Since the Unix epoch.
    pub last: Duration,
}

impl Tally {
    pub fn act(&mut self, action: Action, result: ActionResult) {
        self.actions[action as usize][result as usize] += 1;
    }

    pub fn decided(&mut self, decision: &Decision, step: Duration) {
        match decision.event {
            Some(Event::Throttled(level, trigger)) => {
                self.throttles[level_index(level)][trigger as usize] += 1;
            }
            Some(Event::Blinded) => {
                let trigger = decision.trigger.unwrap_or(Trigger::Local);
                self.throttles[0][trigger as usize] += 1;
            }
            Some(Event::Recovered) => self.recoveries += 1,
            Some(Event::Eased | Event::Recovering) | None => {}
        }
        if decision.level > Level::None {
            self.throttled[level_index(decision.level)] += step;
        }
    }

    pub fn xid(&mut self, code: u64, at: Duration) {
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
