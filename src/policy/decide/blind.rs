//! A decision without a temperature to go by.

use crate::units::Moment;

use super::super::probe;
use super::super::state::{Level, State};
use super::super::{Asks, Decision, Event, Observation, Trigger};
use super::Policy;
use super::bound::colder;

impl Policy {
    /// Without sight: never less than before, at least the blind cap, and what leases ask.
    pub(super) fn decide_blind(&mut self, now: Moment, seen: &Observation<'_>) -> Decision {
        let beside = probe::worst(None, seen.probes);
        let critical = beside.is_some_and(|heat| heat.is_critical());
        self.local.hold(if critical {
            Level::Emergency
        } else {
            Level::Gradual
        });
        // Its own emergency goes on, as nobody sees that it is over.
        let local = self.local.state().level();
        let (asked, overheld) = self.admit(seen, local);
        let level = asked.max(local);
        if level == Level::Emergency && self.held.state() != State::Emergency {
            self.regulator.bottom(now);
        }
        self.held.settle(level);
        // Whatever was given back, the cap takes again.
        self.given_back = false;
        let blind = self.regulator.rungs().blind();
        self.regulator.descend_to(now, blind.limit);
        let cap = if level == Level::Emergency {
            self.regulator.rungs().emergency()
        } else {
            blind
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
        Decision {
            state: State::Blind,
            level,
            targets: colder(self.last.targets, cap),
            heat: None,
            asks: Asks {
                local,
                alert: seen.asked.alert,
                manual: seen.asked.manual,
            },
            trigger: self.trigger,
            event: entered.then_some(Event::Blinded),
            infeasible: false,
            contested: false,
            foreign_limit: false,
            overheld,
            doubt: None,
            withheld: false,
        }
    }
}
