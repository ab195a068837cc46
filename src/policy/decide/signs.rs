//! What a decision says of itself: what just happened and who brought it about, and whether it helps.

use std::time::Duration;

use crate::units::Moment;

use super::super::state::{Level, State};
use super::super::zone::Heat;
use super::super::{Asks, Event, Trigger};
use super::Policy;

/// Coldest rung, still at the set point for this long: the guard can't hold it.
const INFEASIBLE_AFTER: Duration = Duration::from_secs(60);

impl Policy {
    pub(super) fn transition(
        &mut self,
        before: State,
        state: State,
        asks: Asks,
        fallback: bool,
    ) -> Option<Event> {
        let event = match (before, state) {
            (before, state) if before == state => return None,
            // Sight came back: the throttle goes on, it doesn't begin.
            (State::Blind, _) if state.level() <= self.last.level => return None,
            (State::Emergency, State::Gradual) => Event::Eased,
            (_, State::Gradual | State::Emergency) => {
                let trigger = trigger_of(state.level(), asks, fallback);
                self.trigger = Some(trigger);
                return Some(Event::Throttled(state.level(), trigger));
            }
            (_, State::Recovering) => Event::Recovering,
            (_, State::Normal) => Event::Recovered,
            (_, State::Blind) => Event::Blinded,
            (_, State::Unguarded) => return None,
        };
        if state == State::Normal {
            self.trigger = None;
        }
        Some(event)
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

pub(super) fn trigger_of(level: Level, asks: Asks, fallback: bool) -> Trigger {
    match level {
        _ if asks.local >= level && fallback => Trigger::Fallback,
        _ if asks.local >= level => Trigger::Local,
        _ if asks.alert >= level => Trigger::Alert,
        _ => Trigger::Manual,
    }
}
