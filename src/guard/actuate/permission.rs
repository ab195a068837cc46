//! Whether the guard may write, by the card's answers; and what it logs about its writes.

use crate::device::{ActuatorError, Knob};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::tries::Tries;
use crate::guard::outcomes::{Action, ActionResult};
use crate::guard::tick::Permission;
use crate::policy::Claim;

impl Actuation {
    /// After a refusal the GPU is as it was, so the claim is, too. After another error the write may
    /// have been taken.
    pub(crate) fn refused(&mut self, error: ActuatorError, before: Claim) {
        if error.is_refusal() {
            self.record(before);
        }
    }

    /// A write that slows the card down is tried on every tick. One that gives back waits after a
    /// failure.
    pub(crate) fn waits(&mut self, knob: Knob, raises: bool) -> bool {
        let now = self.now;
        raises && self.tries(knob).backoff.is_waiting(now)
    }

    pub(crate) fn put_off(&mut self, knob: Knob) {
        let now = self.now;
        self.tries(knob).backoff.put_off(now);
    }

    /// Counts the outcome, and logs a failure when it begins and when it ends.
    pub(crate) fn done(&mut self, action: Action, result: ActionResult) {
        self.count(action, result);
        let attempt = self.tries(action.knob()).of(action);
        let before = std::mem::replace(&mut attempt.result, result);
        let permission = self.permitted(action, result);
        let newly_denied = permission == Permission::Denied && self.permission != permission;
        self.permission = permission;
        let (name, gpu, uuid) = (action.name(), self.index, &self.uuid);
        match result {
            // The limit has a log line of its own, with its numbers.
            ActionResult::Ok if action == Action::PowerLimit => {}
            // The card ignores writes: the lock is repeated on every tick.
            ActionResult::Ok if self.limit.ignores_writes => {}
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

    /// The permission after `result`. One permitted knob is enough: it can slow the card down.
    fn permitted(&mut self, action: Action, result: ActionResult) -> Permission {
        let permitted = match result {
            ActionResult::Ok | ActionResult::NotTaken => true,
            ActionResult::NoPermission => false,
            _ => return self.permission,
        };
        self.tries(action.knob()).of(action).permitted = Some(permitted);
        if self.all_tries().any(Tries::was_permitted) {
            Permission::Granted
        } else {
            Permission::Denied
        }
    }
}

pub(crate) fn outcome(result: Result<(), ActuatorError>) -> ActionResult {
    result.map_or_else(ActionResult::from, |()| ActionResult::Ok)
}
