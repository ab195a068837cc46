//! Full fans before a watt is cut: whether they are enough, and what they are to do.

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::policy::state::{Level, State};
use crate::policy::types::observation::Observation;
use crate::policy::types::targets::{FanTarget, Targets};
use crate::units::{Celsius, CelsiusDelta, Moment};

use super::fan_gain::FansAre;
use super::policy::Policy;

/// A card that takes the fans' speed takes it at the first or second try.
const TAKEN_WITHIN: Duration = Duration::from_secs(3);
/// Fans speed up within seconds, and the die follows within a few more. Before that the forecast
/// doesn't know of them.
const SPEED_UP: Duration = Duration::from_secs(20);
/// Meanwhile the card may go this far over alert, as a distance to it.
const OVERSHOOTS: Celsius = Celsius::new(-0.5);
/// Afterwards they are enough while the card is under its set point, or will be under alert for this
/// long.
const AHEAD: Duration = Duration::from_secs(15);

impl Policy {
    /// The fans hold the card: the regulator has nothing to do. Once the regulator has taken power,
    /// it goes on until it has given all of it back.
    pub(super) fn fans_suffice(
        &mut self,
        now: Moment,
        heat: &Heat,
        seen: &Observation<'_>,
    ) -> bool {
        if !self.means.fan || seen.observes || !self.regulator.is_released() {
            self.fans_full = None;
            return false;
        }
        let begun = now.since(*self.fans_full.get_or_insert(now));
        if begun >= TAKEN_WITHIN && !seen.claim.fans.any() {
            return false;
        }
        if begun < SPEED_UP {
            return heat.to_alert > OVERSHOOTS;
        }
        let foreseen = self.regulator.forecast(AHEAD);
        let stays = foreseen.is_none_or(|over| over < CelsiusDelta::ZERO);
        !heat.at_set_point() || (stays && !heat.is_hot())
    }

    /// The card has full fans, and its own curve would let it get hot again.
    pub(super) fn needs_fans(&self, seen: &Observation<'_>) -> bool {
        self.means.fan && seen.claim.fans.any() && self.fan_gain.is_needed(&self.regulator)
    }

    pub(super) fn note_fans(&mut self, now: Moment, state: State, seen: &Observation<'_>) {
        let fans = match self.fan_target(state) {
            FanTarget::Full if seen.claim.fans.any() => FansAre::Ours,
            FanTarget::Full if !seen.observes => FansAre::Wanted,
            _ => FansAre::Free,
        };
        self.fan_gain.note(now, &self.regulator, fans);
    }

    /// These targets, with what the fans are to do in this state.
    pub(super) fn with_fans(&self, state: State, targets: Targets) -> Targets {
        Targets {
            fans: self.fan_target(state),
            ..targets
        }
    }

    fn fan_target(&self, state: State) -> FanTarget {
        let throttles = match state {
            State::Normal | State::Unguarded => false,
            State::Recovering => !self.given_back,
            State::Gradual | State::Emergency | State::Blind => true,
        };
        // A lease alone takes power, not the fans: nothing is hot.
        let hot = state != State::Gradual || self.local.state().level() > Level::None;
        match (throttles, hot && self.means.fan) {
            (true, true) => FanTarget::Full,
            (true, false) => FanTarget::Kept,
            (false, _) => FanTarget::AsBefore,
        }
    }
}
