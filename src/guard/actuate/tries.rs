//! The last writes of one knob: how they went, and when a failed attempt to give back is repeated.

use std::time::Duration;

use crate::guard::outcomes::{Action, ActionResult};
use crate::units::Moment;

/// Between two attempts to give back a value that the card doesn't take: at first, and at most. Each
/// wait is twice as long as the one before.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(60);

/// How long a failed attempt to give back waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    tried: Option<Moment>,
    wait: Duration,
}

/// How the last writes of one knob went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    set: Attempt,
    reset: Attempt,
    pub(super) backoff: Backoff,
}

/// How the last write of one kind went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) result: ActionResult,
    /// `None`: no answer has told yet.
    pub(super) permitted: Option<bool>,
}

impl Default for Attempt {
    fn default() -> Self {
        Self {
            result: ActionResult::Ok,
            permitted: None,
        }
    }
}

impl Tries {
    pub(super) fn of(&mut self, action: Action) -> &mut Attempt {
        match action {
            Action::PowerLimit | Action::Lock(_) | Action::Fan => &mut self.set,
            Action::Reset(_) | Action::FanReset => &mut self.reset,
        }
    }

    /// The card was opened again: another driver may answer differently.
    pub(super) fn reopened(&mut self) {
        self.set.result = ActionResult::Ok;
        self.reset.result = ActionResult::Ok;
        self.backoff = Backoff::default();
    }

    pub(super) fn was_permitted(&self) -> bool {
        [self.set, self.reset]
            .map(|it| it.permitted)
            .contains(&Some(true))
    }
}

impl Backoff {
    pub(super) fn put_off(&mut self, now: Moment) {
        self.wait = (self.wait * 2).clamp(AGAIN_FIRST, AGAIN_MOST);
        self.tried = Some(now);
    }

    pub(super) fn is_waiting(&self, now: Moment) -> bool {
        self.tried.is_some_and(|at| now.since(at) < self.wait)
    }
}
