//! What the card's answers say: whether the guard may write, and when what was given back in vain
//! is tried again.

use std::time::Duration;

use crate::device::{ActuatorError, Knob};
use crate::policy::{Claim, Outcome};
use crate::units::Moment;

use super::super::tally::{Action, ActionResult, Tally};
use super::super::tick::Permission;
use super::Hand;

/// Between two tries to give back what the card doesn't take: at first, and at most. Each is twice
/// as long as the one before.
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(60);

/// How long a raise waits that was in vain.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    tried: Option<Moment>,
    wait: Duration,
}

impl Hand {
    /// A refusal leaves the GPU as it was, and with it the claim; anything else may have taken.
    pub(super) fn refused(&mut self, error: ActuatorError, before: Claim, tally: &mut Tally) {
        if error.is_refusal() {
            self.record(before, tally);
        }
    }

    /// What slows the card down is tried on every tick; what gives back waits after a failure.
    pub(super) fn waits(&self, knob: Knob, raises: bool) -> bool {
        let Backoff { tried, wait } = self.backoff[knob];
        raises && tried.is_some_and(|at| self.now.since(at) < wait)
    }

    pub(super) fn put_off(&mut self, knob: Knob) {
        let wait = (self.backoff[knob].wait * 2).clamp(AGAIN_FIRST, AGAIN_MOST);
        self.backoff[knob] = Backoff {
            tried: Some(self.now),
            wait,
        };
    }

    /// Counts the outcome; says a trouble when it begins and when it ends.
    pub(super) fn done(&mut self, action: Action, result: ActionResult, tally: &mut Tally) {
        tally.act(action, result);
        let before = std::mem::replace(&mut self.results[action as usize], result);
        let permission = self.permitted(action, result);
        let newly_denied = permission == Permission::Denied && self.permission != permission;
        self.permission = permission;
        let (name, gpu, uuid) = (action.name(), self.index, &self.uuid);
        match result {
            // The limit's line has its numbers.
            ActionResult::Ok if action == Action::PowerLimit => {}
            // Said again and again, until it is heard.
            ActionResult::Ok if self.ignores_writes => {}
            ActionResult::Ok => tracing::info!(gpu, %uuid, action = name, "action taken"),
            ActionResult::NoPermission if newly_denied => {
                tracing::error!(gpu, %uuid, action = name, "no permission to actuate: this guard can't protect the GPU; run it as root or with CAP_SYS_ADMIN");
            }
            _ if result != before => {
                tracing::warn!(gpu, %uuid, action = name, result = result.name(), "action failed: `thermal-guard check` and nvidia-smi -q tell what the card allows");
            }
            _ => {}
        }
    }

    /// What `result` says of the permission: one way to slow the card down is protection.
    fn permitted(&mut self, action: Action, result: ActionResult) -> Permission {
        let permitted = match result {
            ActionResult::Ok | ActionResult::NotTaken => true,
            ActionResult::NoPermission => false,
            _ => return self.permission,
        };
        self.permitted[action as usize] = Some(permitted);
        if self.permitted.contains(&Some(true)) {
            Permission::Granted
        } else {
            Permission::Denied
        }
    }
}

pub(super) fn outcome(result: Result<(), ActuatorError>) -> ActionResult {
    result.map_or_else(ActionResult::from, |()| ActionResult::Ok)
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
