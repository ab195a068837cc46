//! One tick of the policy: see, decide the state, choose the targets, bound them.

mod blind;
mod bound;
mod signs;

use std::time::Duration;

use crate::device::{ByKnob, Facts, PowerConstraints, Reading};
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::claim::{Claim, Contest};
use super::governor::Drive;
use super::hold::HoldLedger;
use super::knobs::{self, Knobs, Means};
use super::probe::Probe;
use super::regulator::Regulator;
use super::rungs::Targets;
use super::sense::{BySensor, Doubt, Judge, Judgement, Sensor, View};
use super::state::{Level, Machine, Situation, State};
use super::unguarded::Unguarded;
use super::zone::{Heat, TripTable};
use super::{Asks, Decision, Event, Observation, Settings, Trigger};
use bound::colder;

/// A limit that the draw doesn't reach by this much doesn't hold anything back.
const BINDS: Ratio = Ratio::new(0.95);

/// What the last rung takes to show, and its limit to be lowered step by step.
const LAST_RUNG_HELPS: Duration = Duration::from_secs(30);
/// Past alert by more than a reading's rounding.
const SURELY_HOT: Celsius = Celsius::new(-1.0);

/// A card that was lost may be back at the next try.
const CLOSED_FOR: Duration = Duration::from_secs(4);

/// The policy of one GPU.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    power: Option<PowerConstraints>,
    judge: Judge,
    knobs: Knobs,
    means: Means,
    /// What the temperature alone asks for.
    local: Machine,
    /// What is done: the temperature and the leases.
    held: Machine,
    ledger: HoldLedger,
    regulator: Regulator,
    contest: Contest,
    /// When a lease last held the GPU at gradual.
    leased: Option<Moment>,
    /// What is on the card is there because leases asked for it.
    brought_by_leases: bool,
    trigger: Option<Trigger>,
    strained_since: Option<Moment>,
    /// Blind, and hot by what can still be seen.
    blind_hot: Option<Moment>,
    closed_since: Option<Moment>,
    /// At alert on the regulator's last rung.
    last_rung_hot: Option<Moment>,
    /// Of a recovery: all is off the GPU, and the applications were told so.
    given_back: bool,
    lease_clock: Moment,
    last: Decision,
    /// The last decision was told as `unguarded`.
    unguarded: bool,
}

impl Policy {
    pub fn new(settings: Settings, facts: &Facts) -> Self {
        let knobs = Knobs::new(&settings, facts);
        let means = knobs.means();
        Self {
            power: facts.power,
            judge: Judge::new(settings.trips, facts),
            knobs,
            means,
            local: Machine::new(settings.recovery_delay),
            held: Machine::new(settings.recovery_delay),
            ledger: HoldLedger::new(settings.max_hold),
            regulator: Regulator::new(&settings, facts, &means),
            contest: Contest::default(),
            leased: None,
            brought_by_leases: false,
            trigger: None,
            strained_since: None,
            blind_hot: None,
            closed_since: None,
            last_rung_hot: None,
            given_back: false,
            lease_clock: Moment::START,
            last: Decision::unseen(),
            unguarded: false,
            settings,
        }
    }

    /// The card was opened anew, perhaps by another driver: what its knobs take is to be found out.
    pub fn reopened(&mut self, driver_version: Option<&str>) {
        self.judge.reopened(driver_version);
        self.knobs.reopened();
    }

    /// Facts may have changed: another driver may tell other limits. The state stays.
    pub fn recalibrate(&mut self, facts: &Facts) {
        self.power = facts.power;
        self.judge.recalibrate(self.settings.trips, facts);
        self.knobs.offer(&self.settings, facts);
        self.means = self.knobs.means();
        self.regulator.replace(&self.settings, facts, &self.means);
    }

    /// Other settings were loaded. What is held stays held, by the new rules.
    pub fn reconfigure(&mut self, settings: Settings, facts: &Facts) {
        self.local.set_recovery_delay(settings.recovery_delay);
        self.held.set_recovery_delay(settings.recovery_delay);
        self.ledger.set_max_hold(settings.max_hold);
        self.settings = settings;
        self.recalibrate(facts);
    }

    /// A guard before this one left the GPU throttled: go on from there, and give back in steps.
    /// What it doubted isn't believed before it has proven itself.
    pub fn adopt(&mut self, now: Moment, claim: &Claim, doubted: &[(Sensor, Doubt)]) {
        self.held.hold(Level::Gradual);
        self.judge.inherit(doubted);
        self.regulator.adopt(now, claim);
        self.trigger = Some(Trigger::Local);
        let rung = self.regulator.targets();
        // Which range was locked isn't known: no faster than an emergency's, until it can be seen
        // that the card stands more.
        let emergency = self.regulator.rungs().emergency().gpu_clock;
        self.last = Decision {
            state: State::Gradual,
            level: Level::Gradual,
            targets: Targets {
                limit: claim.limit.map(|ours| ours.next),
                gpu_clock: emergency.filter(|_| claim.gpu_clock),
                memory_clock: rung.memory_clock.filter(|_| claim.memory_clock),
                app: rung.app,
            },
            ..self.last
        };
    }

    /// All was given back outside of the policy: it begins afresh, but for what leases have had.
    pub fn released(&mut self, now: Moment) {
        self.local.recovered();
        self.held.recovered();
        self.regulator.reset(now);
        self.trigger = None;
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

    /// Whether all may be given back at once, by one more reading: the judgement of a tick, for the
    /// ways out.
    pub fn is_cool(
        &mut self,
        now: Moment,
        reading: &Reading,
        facts: &Facts,
        probes: &[Probe],
    ) -> bool {
        let judgement = self.judge.look(now, reading, facts, probes, false);
        judgement.is_cool() && !probes.iter().any(Probe::withholds)
    }

    pub fn decide(&mut self, now: Moment, seen: &Observation<'_>) -> Decision {
        let judged = self
            .judge
            .look(now, seen.reading, seen.facts, seen.probes, !seen.woken);
        let renew = self.learn(now, seen, judged.view);
        let mut decision = match judged.view {
            View::Clear(heat) => self.decide_seeing(now, heat, &judged, seen),
            View::Blind(heat) => self.decide_blind(now, heat, seen),
            View::Blink => Decision {
                event: None,
                foreign_limit: false,
                heat: None,
                ..self.last
            },
            View::Never => Decision::unseen(),
        };
        decision.doubt = judged.doubt;
        decision.doubted = judged.doubted;
        decision.withheld = self.withholds(seen);
        self.watch_others(now, seen, &mut decision);
        self.bound(seen, &mut decision);
        decision.sensors = judged.sensors;
        decision.knobs = self.knobs.reports();
        decision.renew = renew;
        decision.hold_left = self.ledger.left();
        self.lease_clock = seen.lease_clock;
        self.last = decision;
        self.told(now, seen, judged.view, decision)
    }

    /// What the last tick's writes and this tick's readings say of the knobs.
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
        let renew = self.knobs.look(
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

    /// A knob left the plan, or came back: it goes on from what is wanted on the card.
    fn replan(&mut self, now: Moment, seen: &Observation<'_>) {
        let released = self.regulator.is_released();
        self.regulator
            .replace(&self.settings, seen.facts, &self.means);
        match self.held.state() {
            State::Emergency => self.regulator.bottom(now),
            _ if released => {}
            _ => self.regulator.resume(now, &self.last.targets),
        }
    }

    /// The decision as it is shown: where nothing can be done, nothing is claimed to be.
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
            decision.event = None;
        } else if was && decision.event.is_none() && decision.level > Level::None {
            let trigger = decision.trigger.unwrap_or(Trigger::Local);
            decision.event = Some(Event::Throttled(decision.level, trigger));
        }
        decision
    }

    fn decide_seeing(
        &mut self,
        now: Moment,
        heat: Heat,
        judged: &Judgement,
        seen: &Observation<'_>,
    ) -> Decision {
        self.blind_hot = None;
        // A lease's ceiling alone is no reason for the local loop to hold on, or a lease would
        // hold the GPU at its local level for ever.
        let binds = Self::binds(seen) && !self.regulator.is_released();
        let alone = Situation {
            heat,
            binds,
            asked: Level::None,
            alone: Level::None,
            overheld: false,
            paused: seen.paused,
            withheld: self.withholds(seen),
        };
        if self.local.step(now, &alone) == State::Recovering {
            self.local.recovered();
        }
        let local = self.local.state().level();
        let (asked, overheld) = self.admit(seen, local);
        self.recover_again(now, seen);
        let before = self.held.state();
        let situation = Situation {
            asked,
            alone: local,
            overheld,
            ..alone
        };
        let drive = self.drive(judged, seen);
        self.regulator.observe(now, &heat, drive.draw);
        match self.held.step(now, &situation) {
            State::Emergency if before != State::Emergency => self.regulator.bottom(now),
            State::Recovering if !alone.withheld => {
                self.recover(now, &heat, drive.original, seen);
            }
            State::Gradual if !seen.paused && (!alone.withheld || heat.at_set_point()) => {
                self.regulator.regulate(now, &heat, drive);
                self.go_to_the_end(now, &heat);
            }
            _ => {}
        }
        let state = self.held.state();
        self.given_back &= state == State::Recovering;
        let under_lease = self.is_under_lease(now, asked, overheld);
        let targets = self.targets(state, under_lease);
        let asks = Asks {
            local,
            alert: seen.asked.alert,
            manual: seen.asked.manual,
        };
        let event = self.transition(self.last.state, state, asks, seen.fallback);
        Decision {
            state,
            level: state.level(),
            targets,
            heat: Some(heat),
            asks,
            trigger: self.trigger,
            event,
            infeasible: self.is_infeasible(now, state, &heat),
            contested: false,
            foreign_limit: false,
            overheld,
            ..Decision::unseen()
        }
    }

    /// `normal` means that nothing of ours is on the card.
    fn recover_again(&mut self, now: Moment, seen: &Observation<'_>) {
        if self.held.state() == State::Normal && !seen.claim.is_empty() {
            self.held.recover_again(now);
            self.given_back = true;
        }
    }

    /// The power side of the card. One whose draw can't be read is taken to draw what it may.
    fn drive(&self, judged: &Judgement, seen: &Observation<'_>) -> Drive {
        let limit = seen.reading.limit_on_card();
        let default = self.power.map(|power| power.default);
        Drive {
            draw: judged.draw.or(limit).or(default),
            clock: seen.reading.gpu_clock.ok(),
            original: self.original(seen),
            limit: Self::planned_from(seen),
        }
    }

    /// The limit on the card; of somebody else's higher one, which is lowered within this tick, ours.
    fn planned_from(seen: &Observation<'_>) -> Option<Watts> {
        let limit = seen.reading.limit_on_card().filter(|_| !seen.observes)?;
        let ours = seen.claim.limit.filter(|_| seen.confirmed);
        Some(ours.map_or(limit, |ours| limit.min(ours.next)))
    }

    /// A card that stays at alert on the last rung gets all that there is, whatever the regulator
    /// expects of it.
    fn go_to_the_end(&mut self, now: Moment, heat: &Heat) {
        let hot = heat.to_alert <= SURELY_HOT;
        if !hot || !self.regulator.is_on_last_rung() {
            self.last_rung_hot = None;
            return;
        }
        let since = *self.last_rung_hot.get_or_insert(now);
        if now.since(since) >= LAST_RUNG_HELPS && !self.regulator.is_exhausted() {
            self.regulator.bottom(now);
        }
    }

    /// One step of giving back. It is complete only when the card has everything back, and the
    /// applications, told to go on as before, are well: so never on the tick that tells them.
    fn recover(&mut self, now: Moment, heat: &Heat, original: Watts, seen: &Observation<'_>) {
        if !self.given_back {
            self.given_back = self.regulator.give_back(now, heat, original);
        } else if seen.apps_well && seen.claim.is_empty() {
            self.held.recovered();
            self.regulator.reset(now);
        }
    }

    /// The highest limit that may be set: what was there before us.
    fn original(&self, seen: &Observation<'_>) -> Watts {
        let ours = seen.claim.limit.map(|ours| ours.original);
        let current = seen
            .reading
            .limit_on_card()
            .or(self.power.map(|power| power.default));
        ours.or(current).unwrap_or_default()
    }

    /// What of the leases' wish is obeyed, and whether some of it isn't.
    fn admit(&mut self, seen: &Observation<'_>, local: Level) -> (Level, bool) {
        let step = seen.lease_clock.since(self.lease_clock);
        let above = self.last.level > self.last.asks.local;
        let giving_back = self.last.state == State::Recovering && !seen.claim.is_empty();
        self.brought_by_leases = above || (self.brought_by_leases && giving_back);
        self.ledger.charge(seen.lease_clock, self.brought_by_leases);
        let asked = seen.asked.level();
        // Also the tail of a lease, while its release is being waited for, is held time.
        let above = asked.max(self.held.state().level()) > local;
        let overheld = above && !self.ledger.permits(step);
        (if overheld { Level::None } else { asked }, overheld)
    }

    fn targets(&self, state: State, under_lease: bool) -> Targets {
        let rung = self.regulator.targets();
        match state {
            State::Normal | State::Unguarded => Targets::default(),
            State::Recovering if self.given_back => Targets::default(),
            State::Gradual if under_lease => self.under_ceiling(rung),
            State::Emergency => colder(rung, self.regulator.rungs().emergency()),
            State::Gradual | State::Recovering | State::Blind => rung,
        }
    }

    /// A gradual lease also caps the limit, and its end gives the cap back no faster than anything
    /// else: a `resolved` may come because Prometheus died, and a flapping alert must not write.
    fn is_under_lease(&mut self, now: Moment, asked: Level, overheld: bool) -> bool {
        if asked >= Level::Gradual {
            self.leased = Some(now);
        } else if overheld || self.leased.is_some_and(|at| self.is_delay_over(now, at)) {
            self.leased = None;
        }
        self.leased.is_some()
    }

    fn is_delay_over(&self, now: Moment, since: Moment) -> bool {
        now.since(since) >= self.settings.recovery_delay
    }

    fn under_ceiling(&self, targets: Targets) -> Targets {
        let Some(power) = self.power.filter(|_| self.settings.power_limit) else {
            return targets;
        };
        let ceiling = power.share_of_default(self.settings.lease_ceiling);
        Targets {
            limit: Some(targets.limit.map_or(ceiling, |limit| limit.min(ceiling))),
            ..targets
        }
    }

    /// Nothing of what the temperature brought about is given back, but by an operator's pause. What
    /// only leases hold is theirs: no sensor had asked for it.
    fn withholds(&self, seen: &Observation<'_>) -> bool {
        let local = self.local.state().level() > Level::None
            || matches!(self.trigger, Some(Trigger::Local | Trigger::Fallback));
        local && !seen.paused && seen.probes.iter().any(Probe::withholds)
    }

    /// Something of ours holds the GPU back: a lock, or a limit that the draw leans on.
    fn binds(seen: &Observation<'_>) -> bool {
        if seen.claim.gpu_clock || seen.claim.memory_clock {
            return true;
        }
        let (Some(ours), Some(limit)) = (seen.claim.limit, seen.reading.limit_on_card()) else {
            return false;
        };
        // Without a draw nobody knows that it doesn't.
        let leans = |draw: Watts| draw >= limit.scaled(BINDS);
        limit < ours.original && seen.reading.draw.map_or(true, leans)
    }
}

impl Decision {
    /// Nothing seen, nothing done.
    pub fn unseen() -> Self {
        Self {
            state: State::Normal,
            level: Level::None,
            targets: Targets::default(),
            heat: None,
            asks: Asks::default(),
            trigger: None,
            event: None,
            infeasible: false,
            contested: false,
            foreign_limit: false,
            overheld: false,
            doubt: None,
            withheld: false,
            doubted: None,
            sensors: BySensor::default(),
            knobs: ByKnob::default(),
            renew: ByKnob::default(),
            unguarded: None,
            hold_left: Duration::ZERO,
        }
    }

    /// Of a GPU that isn't open, or that an operator let go of.
    pub fn unguarded(why: Unguarded) -> Self {
        Self {
            state: State::Unguarded,
            unguarded: Some(why),
            ..Self::unseen()
        }
    }
}

#[cfg(test)]
mod tests;
