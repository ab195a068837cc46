//! A decision without a temperature to go by.

use std::time::Duration;

use crate::units::Moment;

use super::super::rungs::Targets;
use super::super::state::{Level, State};
use super::super::zone::Heat;
use super::super::{Asks, Decision, Event, Observation, Trigger};
use super::Policy;
use super::bound::colder;
use super::signs::trigger_of;

/// A capped card that is still at alert by what can be seen gets all that there is after this: what
/// a die takes to answer.
const CAP_HELPS_WITHIN: Duration = Duration::from_secs(5);

impl Policy {
    /// Without sight: never less than before, at least the blind cap, and what leases ask. What can
    /// still be seen of the heat only adds to that.
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
        // Its own emergency goes on, as nobody sees that it is over.
        let local = self.local.state().level();
        let (asked, overheld) = self.admit(seen, local);
        let level = asked.max(local);
        let bottom = level == Level::Emergency && self.held.state() != State::Emergency;
        if bottom || (in_vain && !self.regulator.is_exhausted()) {
            self.regulator.bottom(now);
        }
        self.held.settle(level);
        // Whatever was given back, the cap takes again.
        self.given_back = false;
        let blind = self.regulator.rungs().blind();
        self.regulator.descend_to(now, blind.limit);
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
            self.trigger = Some(trigger);
        }
        let asks = Asks {
            local,
            alert: seen.asked.alert,
            manual: seen.asked.manual,
        };
        let deeper = !entered && level > self.last.level;
        let event = if entered {
            Some(Event::Blinded)
        } else if deeper {
            let trigger = trigger_of(level, asks, seen.fallback);
            self.trigger = Some(trigger);
            Some(Event::Throttled(level, trigger))
        } else {
            None
        };
        Decision {
            state: State::Blind,
            level,
            targets: colder(self.last.targets, cap),
            heat: None,
            asks,
            trigger: self.trigger,
            event,
            overheld,
            ..Decision::unseen()
        }
    }
}
