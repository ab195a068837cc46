//! The transition that a decision makes, its trigger, and whether the throttle is enough.

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::policy::state::{Level, State};
use crate::policy::types::decision::{Asks, Transition, Trigger};
use crate::policy::types::observation::Observation;
use crate::units::Moment;

use super::policy::Policy;

/// If the GPU is still at the set point after this long on the coldest rung, the guard can't hold
/// it.
const INFEASIBLE_AFTER: Duration = Duration::from_secs(60);

impl Policy {
    pub(super) fn transition(
        &mut self,
        before: State,
        state: State,
        asks: Asks,
        fallback: bool,
    ) -> Option<Transition> {
        let transition = match (before, state) {
            (before, state) if before == state => return None,
            // The temperature is known again: the throttle continues, it doesn't begin.
            (State::Blind, _) if state.level() <= self.last.level => return None,
            (State::Emergency, State::Gradual) => Transition::Eased,
            (_, State::Gradual | State::Emergency) => {
                let trigger = asks.trigger(state.level(), fallback);
                self.began_by(trigger);
                return Some(Transition::Throttled(state.level(), trigger));
            }
            (_, State::Recovering) => Transition::Recovering,
            (_, State::Normal) => Transition::Recovered,
            (_, State::Blind) => Transition::Blinded,
            (_, State::Unguarded) => return None,
        };
        if state == State::Normal {
            self.trigger = None;
            self.left_so = false;
        }
        Some(transition)
    }

    pub(super) fn began_by(&mut self, trigger: Trigger) {
        self.trigger = Some(trigger);
        self.left_so = false;
    }

    /// What the throttle is there for. Of one that a guard before this one left, only what asks for it
    /// now is known: heat, or a lease that is obeyed.
    pub(super) fn cause(
        &mut self,
        heat: &Heat,
        asks: Asks,
        overheld: bool,
        seen: &Observation<'_>,
    ) -> Option<Trigger> {
        // The local loop holds on to what was left, however cool the card is.
        if self.left_so && heat.at_set_point() {
            self.began_by(asks.trigger(asks.local, seen.fallback));
        }
        if !self.left_so {
            return self.trigger;
        }
        let level = self.held.state().level();
        let leases = Asks {
            local: Level::None,
            ..asks
        };
        let is_obeyed = !overheld && !seen.paused;
        let asked = is_obeyed && level > Level::None && seen.asked.level() >= level;
        asked.then(|| leases.trigger(level, seen.fallback))
    }

    pub(super) fn is_infeasible(&mut self, now: Moment, state: State, heat: &Heat) -> bool {
        let coldest =
            state == State::Emergency || (state == State::Gradual && self.regulator.is_exhausted());
        if !coldest || !heat.at_set_point() {
            self.strained_since = None;
            return false;
        }
        now.since(*self.strained_since.get_or_insert(now)) >= INFEASIBLE_AFTER
    }
}
