//! What the card's answers say: whether the guard may write, and what isn't tried again.

use std::time::Duration;

use crate::device::ActuatorError;
use crate::policy::Claim;

use super::super::tally::{Action, ActionResult, Tally};
use super::super::tick::Permission;
use super::Hand;

/// Between two tries without permission: somebody may grant it.
const ASK_AGAIN: Duration = Duration::from_secs(60);

impl Hand {
    /// A refusal leaves the GPU as it was, and with it the claim; anything else may have taken.
    pub(super) fn refused(&mut self, error: ActuatorError, before: Claim, tally: &mut Tally) {
        if error.is_refusal() {
            self.record(before, tally);
        }
    }

    /// A card that can't take such a write isn't asked again until it is opened anew.
    pub(super) fn is_barred(&self, action: Action) -> bool {
        self.results[action as usize] == ActionResult::Unsupported || self.is_denied(action)
    }

    pub(super) fn is_denied(&self, action: Action) -> bool {
        self.denied_at[action as usize].is_some_and(|at| self.now.since(at) < ASK_AGAIN)
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
            ActionResult::Ok if self.deaf => {}
            ActionResult::Ok => tracing::info!(gpu, %uuid, action = name, "action taken"),
            ActionResult::NoPermission if newly_denied => {
                tracing::error!(gpu, %uuid, action = name, "no permission to actuate: this guard can't protect the GPU; run it as root or with CAP_SYS_ADMIN");
            }
            _ if result != before => {
                tracing::warn!(gpu, %uuid, action = name, result = result.name(), "action failed");
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
        self.denied_at[action as usize] = (!permitted).then_some(self.now);
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
