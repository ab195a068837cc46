//! The policy of one GPU, tick by tick: judge, decide, bound, and tell.

use std::time::Duration;

use crate::device::{ByClock, ByKnob, ClockRange, Facts, PowerConstraints, Reading};
use crate::policy::ask::budget::LeaseBudget;
use crate::policy::claim::{Claim, Contest};
use crate::policy::knobs::{self, Knobs, Means};
use crate::policy::regulate::regulator::Regulator;
use crate::policy::sense::extra_sensor::ExtraSensor;
use crate::policy::sense::fans::FanWatch;
use crate::policy::sense::firmware::{Around, Firmware, FirmwareReport};
use crate::policy::sense::trips::TripTable;
use crate::policy::sense::{BySensor, Doubt, Judge, Sensor, SuspectFans, View};
use crate::policy::state::{Level, Machine, State};
use crate::policy::types::decision::{Decision, Transition, Trigger};
use crate::policy::types::observation::Observation;
use crate::policy::types::settings::Settings;
use crate::policy::types::targets::{FanTarget, Targets};
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

    /// The card was opened again, perhaps by another driver. Which values its knobs accept must be
    /// found out again.
    pub fn reopened(&mut self, driver_version: Option<&str>) {
        self.judge.reopened(driver_version);
        self.firmware.reopened();
        self.knobs.reopened();
    }

    /// Facts may have changed: another driver may give other limits. The state stays.
    pub fn recalibrate(&mut self, facts: &Facts) {
        self.power = facts.power;
        self.judge.recalibrate(self.settings.trips, facts);
        self.knobs.offer(&self.settings, facts);
        let means = self.knobs.means();
        let is_same = means == self.means && self.regulator.is_of(&self.settings, facts, &means);
        if is_same {
            self.regulator.replace(&self.settings, facts, &self.means);
        } else {
            // The new plan goes on from what is set: on the next tick, which knows that.
            self.replan_due = true;
        }
    }

    /// Other settings were loaded. A throttle in force stays, by the new rules.
    pub fn reconfigure(&mut self, settings: Settings, facts: &Facts) {
        self.local.set_recovery_delay(settings.recovery_delay);
        self.held.set_recovery_delay(settings.recovery_delay);
        self.ledger.set_max_hold(settings.max_hold);
        self.settings = settings;
        self.recalibrate(facts);
    }

    /// A previous guard left the GPU throttled. Continues from there, and gives back in steps. The
    /// sensors that it doubted must prove themselves first.
    /// `locks`: the slowest ones that may be on the card.
    pub fn adopt(
        &mut self,
        now: Moment,
        claim: &Claim,
        locks: &ByClock<Option<ClockRange>>,
        doubted: &[(Sensor, Doubt)],
    ) {
        // By heat, as far as is known: it isn't charged to leases.
        self.local.hold(Level::Gradual);
        self.held.hold(Level::Gradual);
        self.inherit(doubted);
        self.regulator.adopt(now, claim, locks);
        self.trigger = Some(Trigger::Local);
        self.left_so = true;
        let rung = self.regulator.targets();
        // The card doesn't tell the locked range. So the clock is no faster than in an emergency, until
        // the readings show that the card can take more. Where the clock governs, it goes on from the
        // lock in the journal.
        let emergency = self.regulator.rungs().emergency().locks;
        let by_clock = self.regulator.is_by_clock();
        self.last = Decision {
            state: State::Gradual,
            level: Level::Gradual,
            targets: Targets {
                limit: claim.limit.map(|ours| ours.next),
                locks: ByClock::of(|domain| {
                    let left = rung.locks[domain].filter(|_| by_clock);
                    let lock = left.or(emergency[domain]).or(rung.locks[domain]);
                    lock.filter(|_| claim.locks[domain])
                }),
                fans: if claim.fans.any() {
                    FanTarget::Kept
                } else {
                    FanTarget::AsBefore
                },
                app: rung.app,
            },
            ..self.last
        };
    }

    /// The sensors that a guard before this one doubted must prove themselves first.
    pub fn inherit(&mut self, doubted: &[(Sensor, Doubt)]) {
        self.judge.inherit(doubted);
    }

    /// Everything was given back outside the policy. It starts from the beginning, but remembers
    /// how long leases have held the GPU.
    pub fn released(&mut self, now: Moment) {
        self.local.recovered();
        self.held.recovered();
        self.regulator.reset(now);
        self.trigger = None;
        self.left_so = false;
        self.brought_by_leases = false;
        self.last = Decision::unseen();
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

    /// What the card does about heat while the guard holds nothing. A guard that only observes never
    /// does.
    fn watch_firmware(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        decision: &Decision,
    ) -> FirmwareReport {
        let acts = decision.level > Level::None && !seen.observes;
        let around = Around {
            reading: seen.reading,
            facts: seen.facts,
            trips: self.trips().in_force(seen.reading),
            held: acts || !seen.claim.is_empty(),
        };
        self.firmware.note(now, &around)
    }

    /// A guard that holds the card for its temperature needs more of the fans than one at rest.
    fn watch_fans(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        view: View,
        decision: &Decision,
    ) -> SuspectFans {
        let (reading, facts) = (seen.reading, seen.facts);
        let core = reading.core.ok();
        let core = core.filter(|_| matches!(view, View::Clear(_)));
        let holds = decision.level > Level::None && decision.asks.local > Level::None;
        let trips = self.judge.trips().in_force(reading).filter(|_| holds);
        self.fans.watch(now, reading, facts, core, trips)
    }

    /// Learns about the knobs from the last tick's writes and this tick's readings. Returns the
    /// locks that must be set again.
    fn learn(&mut self, now: Moment, seen: &Observation<'_>, view: View) -> ByKnob<bool> {
        if seen.observes || !seen.open {
            return ByKnob::default();
        }
        let heat = match view {
            View::Clear(heat) => Some(heat),
            View::Blind(heat) => heat,
            View::Never | View::Blink => None,
        };
        let nothing_left = self.regulator.is_exhausted() || self.held.state() == State::Emergency;
        let blind = matches!(view, View::Blind(_));
        let hungry = blind || heat.is_some_and(|heat| heat.at_set_point()) && nothing_left;
        let renew = self.knobs.add_evidence(
            now,
            &knobs::Evidence {
                reading: seen.reading,
                claim: seen.claim,
                writes: seen.writes,
                targets: &self.last.targets,
                in_turn: !seen.woken,
                hungry,
            },
        );
        let means = self.knobs.means();
        if means != self.means {
            self.means = means;
            self.replan(now, seen);
        }
        renew
    }

    /// A knob left the plan or came back. The new plan continues from the current targets.
    fn replan(&mut self, now: Moment, seen: &Observation<'_>) {
        let released = self.regulator.is_released();
        let by_clock = self.regulator.is_by_clock();
        self.regulator
            .replace(&self.settings, seen.facts, &self.means);
        // Only a limit is tried, or failed again: the clock governs on.
        let goes_on = by_clock && self.regulator.is_by_clock();
        let limit_again = by_clock && self.means.power.is_some() && !self.means.power_failed;
        match self.held.state() {
            State::Emergency => self.regulator.bottom(now),
            _ if released || goes_on => {}
            _ if limit_again => self.regulator.resume(now, &self.after_trial()),
            _ => self.regulator.resume(now, &self.last.targets),
        }
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
