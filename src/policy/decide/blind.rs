//! The decision when the temperature is unknown.

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::policy::state::{Level, State};
use crate::policy::types::decision::{Asks, Decision, Transition, Trigger};
use crate::policy::types::observation::Observation;
use crate::policy::types::targets::Targets;
use crate::units::Moment;

use super::policy::Policy;

/// If a capped card is still at alert by the sensors that can be read, it gets every measure there
/// is after this: the time in which a die responds.
const CAP_HELPS_WITHIN: Duration = Duration::from_secs(5);

impl Policy {
    /// Never less than before, at least the blind cap, and at least the leases' request. Sensors
    /// that can still be read can only add to that.
    pub(super) fn decide_blind(
        &mut self,
        now: Moment,
        heat: Option<Heat>,
        seen: &Observation<'_>,
    ) -> Decision {
        let critical = heat.is_some_and(|heat| heat.is_critical());
        let hot = heat.is_some_and(|heat| heat.is_hot());
        self.blind_hot = if hot {
            self.blind_hot.or(Some(now))
        } else {
            None
        };
        let in_vain = self
            .blind_hot
            .is_some_and(|since| now.since(since) >= CAP_HELPS_WITHIN);
        self.local.hold(if critical {
            Level::Emergency
        } else {
            Level::Gradual
        });
        // The local emergency continues, because no reading shows its end.
        let local = self.local.state().level();
        let (asked, overheld) = self.admit(seen, local);
        let level = asked.max(local);
        let bottom = level == Level::Emergency && self.held.state() != State::Emergency;
        if bottom || (in_vain && !self.regulator.is_exhausted()) {
            self.regulator.bottom(now);
        }
        self.held.settle(level);
        // The cap also takes back what a recovery had already given.
        self.given_back = false;
        let blind = self.regulator.rungs().blind();
        self.regulator.descend_to(now, &blind);
        let emergency = self.regulator.rungs().emergency();
        let cap = match level {
            Level::Emergency => emergency,
            _ if in_vain => Targets {
                app: blind.app,
                ..emergency
            },
            _ => blind,
        };
        let entered = self.last.state != State::Blind;
        if entered {
            let trigger = if seen.fallback {
                Trigger::Fallback
            } else {
                Trigger::Local
            };
            self.began_by(trigger);
        }
        let asks = Asks {
            local,
            alert: seen.asked.alert,
            manual: seen.asked.manual,
        };
        let deeper = !entered && level > self.last.level;
        let transition = if entered {
            Some(Transition::Blinded)
        } else if deeper {
            let trigger = asks.trigger(level, seen.fallback);
            self.began_by(trigger);
            Some(Transition::Throttled(level, trigger))
        } else {
            None
        };
        Decision {
            state: State::Blind,
            level,
            targets: self.last.targets.colder(self.with_fans(State::Blind, cap)),
            heat: None,
            asks,
            trigger: self.trigger,
            transition,
            overheld,
            ..Decision::unseen()
        }
    }
}
