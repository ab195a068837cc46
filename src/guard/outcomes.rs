//! The outcomes of one tick of one GPU: its writes and everything else that is counted.
//! [`Counters`](super::counters::Counters) and events are folds of these.

use std::time::Duration;

use crate::device::{ActuatorError, ByKnob, ClockDomain, Knob};
use crate::policy::{Outcome, Write};

/// The outcomes of one tick.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// Each write and how it went, in order.
    pub actions: Vec<(Action, ActionResult)>,
    /// What the policy learns from the last write of each knob.
    pub writes: ByKnob<Option<Write>>,
    /// Somebody else's limit was taken for the original.
    pub foreign_limit: bool,
    /// The core temperature couldn't be read.
    pub read_failed: bool,
    /// How often the journal couldn't be read or written.
    pub journal_failures: u64,
    /// The GPU was lost and is back.
    pub reopened: bool,
    pub xids: Vec<Xid>,
}

/// One critical error that the driver reported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Xid {
    pub code: u64,
    /// Since the Unix epoch.
    pub at: Duration,
}

impl Outcomes {
    /// These outcomes, followed by `later` ones.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.actions.extend(later.actions);
        self.xids.extend(later.xids);
        Self {
            writes: later.writes,
            foreign_limit: self.foreign_limit || later.foreign_limit,
            read_failed: self.read_failed || later.read_failed,
            journal_failures: self.journal_failures + later.journal_failures,
            reopened: self.reopened || later.reopened,
            ..self
        }
    }

    /// At least one write of this kind went like this.
    pub fn has(&self, action: Action, result: ActionResult) -> bool {
        self.actions.contains(&(action, result))
    }

    /// At least one write was taken.
    pub fn took_any(&self) -> bool {
        let mut results = self.actions.iter().map(|(_, result)| *result);
        results.any(|result| result == ActionResult::Ok)
    }

    /// How this kind of write failed: the first of all ways, in the order of [`ActionResult::ALL`].
    pub fn failure(&self, action: Action) -> Option<ActionResult> {
        let failures = ActionResult::ALL.into_iter().filter(|it| it.is_failure());
        failures.into_iter().find(|it| self.has(action, *it))
    }
}

/// A kind of write to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    PowerLimit,
    Lock(ClockDomain),
    Reset(ClockDomain),
    /// The fans at full speed, and back to who set them before.
    Fan,
    FanReset,
}

impl Action {
    pub const COUNT: usize = 3 + 2 * ClockDomain::ALL.len();

    pub const ALL: [Self; Self::COUNT] = {
        let mut all = [Self::PowerLimit; Self::COUNT];
        let mut clock = 0;
        while clock < ClockDomain::ALL.len() {
            all[1 + 2 * clock] = Self::Lock(ClockDomain::ALL[clock]);
            all[2 + 2 * clock] = Self::Reset(ClockDomain::ALL[clock]);
            clock += 1;
        }
        all[Self::COUNT - 2] = Self::Fan;
        all[Self::COUNT - 1] = Self::FanReset;
        all
    };

    pub const fn knob(self) -> Knob {
        match self {
            Self::PowerLimit => Knob::PowerLimit,
            Self::Lock(domain) | Self::Reset(domain) => domain.knob(),
            Self::Fan | Self::FanReset => Knob::Fan,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerLimit => Knob::PowerLimit.name(),
            Self::Lock(domain) => domain.lock_name(),
            Self::Reset(domain) => domain.reset_name(),
            Self::Fan => "fan_speed",
            Self::FanReset => "fan_reset",
        }
    }

    /// Its place in [`Action::ALL`].
    pub(super) const fn index(self) -> usize {
        match self {
            Self::PowerLimit => 0,
            Self::Lock(domain) => 1 + 2 * domain as usize,
            Self::Reset(domain) => 2 + 2 * domain as usize,
            Self::Fan => Self::COUNT - 2,
            Self::FanReset => Self::COUNT - 1,
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

    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Observed)
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

impl From<ActionResult> for Outcome {
    fn from(result: ActionResult) -> Self {
        match result {
            ActionResult::Ok => Self::Taken,
            ActionResult::NotTaken => Self::Ignored,
            ActionResult::NoPermission => Self::Denied,
            ActionResult::OutOfRange | ActionResult::Unsupported | ActionResult::Failed => {
                Self::Refused
            }
            ActionResult::Observed | ActionResult::Unjournaled | ActionResult::Lost => {
                Self::Unknown
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_write_has_a_place_and_a_name_of_its_own() {
        for (place, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action.index(), place);
        }
        let names = Action::ALL.map(Action::name);
        assert_eq!(
            names,
            [
                "power_limit",
                "gpu_clock_lock",
                "gpu_clock_reset",
                "memory_clock_lock",
                "memory_clock_reset",
                "fan_speed",
                "fan_reset"
            ]
        );
    }
}
