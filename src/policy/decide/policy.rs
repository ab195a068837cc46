//! The policy of one GPU, tick by tick: judge, decide, bound, and tell.

mod continued;
mod learned;

use std::time::Duration;

use crate::device::{Facts, PowerConstraints, Reading};
use crate::policy::ask::budget::LeaseBudget;
use crate::policy::claim::Contest;
use crate::policy::knobs::{Knobs, Means};
use crate::policy::regulate::regulator::Regulator;
use crate::policy::sense::extra_sensor::ExtraSensor;
use crate::policy::sense::fans::FanWatch;
use crate::policy::sense::firmware::Firmware;
use crate::policy::sense::trips::TripTable;
use crate::policy::sense::{BySensor, Doubt, Judge, View};
use crate::policy::state::{Level, Machine, State};
use crate::policy::types::decision::{Decision, Transition, Trigger};
use crate::policy::types::observation::Observation;
use crate::policy::types::settings::Settings;
use crate::units::{Moment, Watts};

use super::fan_gain::FanGain;
use super::unguarded::Unguarded;

/// A lost card may be back at the next try to open it.
const CLOSED_FOR: Duration = Duration::from_secs(4);

/// The policy of one GPU.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances of one GPU"
)]
pub struct Policy {
    pub(super) settings: Settings,
    pub(super) power: Option<PowerConstraints>,
    pub(super) judge: Judge,
    firmware: Firmware,
    fans: FanWatch,
    pub(super) knobs: Knobs,
    pub(super) means: Means,
    /// The state by the temperature alone.
    pub(super) local: Machine,
    /// The state by the temperature and the leases: the one that is acted on.
    pub(super) held: Machine,
    pub(super) ledger: LeaseBudget,
    pub(super) regulator: Regulator,
    /// Since when the fans have been at full speed, and nothing else was needed.
    pub(super) fans_full: Option<Moment>,
    pub(super) fan_gain: FanGain,
    pub(super) contest: Contest,
    /// The limit that is tried while the clock governs.
    pub(super) limit_trial: Option<Watts>,
    /// The draw before that trial.
    pub(super) untried_draw: Option<Watts>,
    /// When a lease last held the GPU at gradual.
    pub(super) leased: Option<Moment>,
    /// The settings on the card are there because leases asked for them.
    pub(super) brought_by_leases: bool,
    pub(super) trigger: Option<Trigger>,
    /// The throttle is one that a guard before this one left: what caused it isn't known.
    pub(super) left_so: bool,
    pub(super) strained_since: Option<Moment>,
    /// Since when the GPU has been blind, and hot by the sensors that can still be read.
    pub(super) blind_hot: Option<Moment>,
    pub(super) closed_since: Option<Moment>,
    /// Since when the GPU has been at alert on the regulator's last rung.
    pub(super) last_rung_hot: Option<Moment>,
    /// Since when it has been under its set point with a knob set that the plan no longer has.
    pub(super) kept_since: Option<Moment>,
    /// In a recovery: the GPU has everything back, and the applications were told so.
    pub(super) given_back: bool,
    /// The last tick, on the leases' clock.
    pub(super) lease_clock: Option<Moment>,
    /// The plan has other knobs, or another regulator, since the last tick.
    replan_due: bool,
    pub(super) last: Decision,
    /// The last decision was shown as `unguarded`.
    pub(super) unguarded: bool,
}

impl Policy {
    pub fn new(settings: Settings, facts: &Facts) -> Self {
        let knobs = Knobs::new(&settings, facts);
        let means = knobs.means();
        Self {
            power: facts.power,
            judge: Judge::new(settings.trips, facts),
            firmware: Firmware::default(),
            fans: FanWatch::default(),
            knobs,
            means,
            local: Machine::new(settings.recovery_delay),
            held: Machine::new(settings.recovery_delay),
            ledger: LeaseBudget::new(settings.max_hold),
            regulator: Regulator::new(&settings, facts, &means),
            fans_full: None,
            fan_gain: FanGain::default(),
            contest: Contest::default(),
            limit_trial: None,
            untried_draw: None,
            leased: None,
            brought_by_leases: false,
            trigger: None,
            left_so: false,
            strained_since: None,
            blind_hot: None,
            closed_since: None,
            last_rung_hot: None,
            kept_since: None,
            given_back: false,
            lease_clock: None,
            replan_due: false,
            last: Decision::unseen(),
            unguarded: false,
            settings,
        }
    }

    pub const fn trips(&self) -> &TripTable {
        self.judge.trips()
    }

    /// The sensors that aren't trusted now.
    pub fn doubted(&self) -> BySensor<Option<Doubt>> {
        self.judge.doubted()
    }

    /// Whether everything may be given back at once, by one more reading. The ways out use the same
    /// judgement as a tick.
    pub fn is_cool(
        &mut self,
        now: Moment,
        reading: &Reading,
        facts: &Facts,
        extra_sensors: &[ExtraSensor],
    ) -> bool {
        let judgement = self.judge.judge(now, reading, facts, extra_sensors, false);
        judgement.is_cool() && !extra_sensors.iter().any(ExtraSensor::withholds)
    }

    pub fn decide(&mut self, now: Moment, seen: &Observation<'_>) -> Decision {
        let judged = self.judge.judge(
            now,
            seen.reading,
            seen.facts,
            seen.extra_sensors,
            !seen.woken,
        );
        let renew = self.learn(now, seen, judged.view);
        if std::mem::take(&mut self.replan_due) {
            self.means = self.knobs.means();
            self.replan(now, seen);
        }
        let mut decision = match judged.view {
            View::Clear(heat) => self.decide_seeing(now, heat, &judged, seen),
            View::Blind(heat) => self.decide_blind(now, heat, seen),
            View::Blink => Decision {
                transition: None,
                foreign_limit: false,
                heat: None,
                ..self.last
            },
            View::Never => Decision::unseen(),
        };
        if judged.forbids_raises() && !seen.paused {
            decision.targets = decision.targets.no_higher_than(self.last.targets);
        }
        decision.doubt = judged.doubt;
        decision.doubted = judged.doubted;
        decision.withheld = self.withholds(seen);
        self.try_limit(judged.draw, seen, &mut decision);
        self.watch_others(now, seen, &mut decision);
        self.bound(seen, &mut decision);
        decision.sensors = judged.sensors;
        decision.knobs = self.knobs.reports();
        decision.firmware = self.watch_firmware(now, seen, &decision);
        decision.fans = self.watch_fans(now, seen, judged.view, &decision);
        decision.renew = renew;
        decision.hold_left = self.ledger.left();
        self.lease_clock = Some(seen.lease_clock);
        self.last = decision;
        self.told(now, seen, judged.view, decision)
    }

    /// The decision as it is shown. If nothing can be done for the GPU, the decision doesn't
    /// pretend otherwise.
    fn told(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        view: View,
        mut decision: Decision,
    ) -> Decision {
        self.closed_since = if seen.open {
            None
        } else {
            self.closed_since.or(Some(now))
        };
        let closed = self
            .closed_since
            .is_some_and(|since| now.since(since) >= CLOSED_FOR);
        decision.unguarded = Unguarded::of(seen, view, decision.knobs, closed);
        let was = std::mem::replace(&mut self.unguarded, decision.unguarded.is_some());
        if decision.unguarded.is_some() {
            decision.state = State::Unguarded;
            decision.level = Level::None;
            decision.transition = None;
        } else if was && decision.transition.is_none() && decision.level > Level::None {
            let trigger = decision.trigger.unwrap_or(Trigger::Local);
            decision.transition = Some(Transition::Throttled(decision.level, trigger));
        }
        decision
    }

    /// An extra sensor was lost while hot, so nothing that the temperature took is given back,
    /// except by an operator's pause. A throttle by leases alone ends with them: no sensor asked
    /// for it.
    pub(super) fn withholds(&self, seen: &Observation<'_>) -> bool {
        let local = self.local.state().level() > Level::None
            || matches!(self.trigger, Some(Trigger::Local | Trigger::Fallback));
        local && !seen.paused && seen.extra_sensors.iter().any(ExtraSensor::withholds)
    }
}

#[cfg(test)]
mod tests;
