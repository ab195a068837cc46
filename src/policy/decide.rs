//! One tick of the policy: see, decide the state, choose the targets, bound them.

use std::time::Duration;

use crate::device::{ClockRange, Facts, Missing, PowerConstraints, Reading};
use crate::units::{Moment, Ratio, Watts};

use super::claim::{Claim, Contest, Verdict};
use super::governor::Drive;
use super::hold::HoldLedger;
use super::probe::{self, Probe};
use super::regulator::Regulator;
use super::rungs::{AppMode, Targets};
use super::sight::{Sight, View};
use super::state::{Level, Machine, Situation, State};
use super::witness::{Doubt, Witness};
use super::zone::{Heat, TripTable};
use super::{Asks, Decision, Event, Observation, Settings, Trigger};

/// A limit that the draw doesn't reach by this much doesn't hold anything back.
const BINDS: Ratio = Ratio::new(0.95);

/// Coldest rung, still at the set point for this long: the guard can't hold it.
const INFEASIBLE_AFTER: Duration = Duration::from_secs(60);

/// The policy of one GPU.
#[derive(Clone, Debug)]
pub struct Policy {
    settings: Settings,
    power: Option<PowerConstraints>,
    trips: TripTable,
    witness: Witness,
    sight: Sight,
    /// What the temperature alone asks for.
    local: Machine,
    /// What is done: the temperature and the leases.
    held: Machine,
    ledger: HoldLedger,
    regulator: Regulator,
    contest: Contest,
    /// When a lease last held the GPU at gradual.
    leased: Option<Moment>,
    trigger: Option<Trigger>,
    strained_since: Option<Moment>,
    /// Of a recovery: all is off the GPU, and the applications were told so.
    given_back: bool,
    lease_clock: Moment,
    last: Decision,
}

impl Policy {
    /// `reading` tells which sensors the card has.
    pub fn new(settings: Settings, facts: &Facts, reading: &Reading) -> Self {
        Self {
            power: facts.power,
            trips: TripTable::of(&settings.trips, facts, reading),
            witness: Witness::of(facts),
            sight: Sight::default(),
            local: Machine::new(settings.recovery_delay),
            held: Machine::new(settings.recovery_delay),
            ledger: HoldLedger::new(settings.max_hold),
            regulator: Regulator::new(&settings, facts),
            contest: Contest::default(),
            leased: None,
            trigger: None,
            strained_since: None,
            given_back: false,
            lease_clock: Moment::START,
            last: Decision::unseen(),
            settings,
        }
    }

    /// The card was opened anew: another driver may tell other limits. The state stays.
    pub fn recalibrate(&mut self, facts: &Facts, reading: &Reading) {
        self.power = facts.power;
        self.trips = TripTable::of(&self.settings.trips, facts, reading);
        self.witness.recalibrate(facts);
        self.regulator.replace(&self.settings, facts);
    }

    /// Other settings were loaded. What is held stays held, by the new rules.
    pub fn reconfigure(&mut self, settings: Settings, facts: &Facts, reading: &Reading) {
        self.local.set_recovery_delay(settings.recovery_delay);
        self.held.set_recovery_delay(settings.recovery_delay);
        self.ledger.set_max_hold(settings.max_hold);
        self.settings = settings;
        self.recalibrate(facts, reading);
    }

    /// A guard before this one left the GPU throttled: go on from there, and give back in steps.
    pub fn adopt(&mut self, now: Moment, claim: &Claim) {
        self.held.hold(Level::Gradual);
        self.sight.inherit();
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
        self.last = Decision::unseen();
    }

    pub const fn trips(&self) -> &TripTable {
        &self.trips
    }

    pub fn decide(&mut self, now: Moment, seen: &Observation<'_>) -> Decision {
        let (heat, doubt) = self.judge(now, seen);
        let mut decision = match self.sight.look(heat, seen.woken) {
            View::Clear(heat) => self.decide_seeing(now, heat, seen),
            View::Blind => self.decide_blind(now, seen),
            View::Blink => Decision {
                event: None,
                foreign_limit: false,
                heat: None,
                ..self.last
            },
            View::Never => Decision::unseen(),
        };
        decision.doubt = doubt;
        decision.withheld = self.withholds(seen);
        self.watch_others(now, seen, &mut decision);
        self.bound(seen, &mut decision);
        self.lease_clock = seen.lease_clock;
        self.last = decision;
        decision
    }

    /// The heat to act on, over all sensors, and the doubt about it.
    fn judge(&mut self, now: Moment, seen: &Observation<'_>) -> (Option<Heat>, Option<Doubt>) {
        let read = self.trips.heat(seen.reading);
        let (own, doubt) = self.witness.question(now, seen.reading, read);
        // A reading that isn't believed is as good as one of a card that is gone.
        let believed = own.ok_or(read.err().unwrap_or(Missing::Lost));
        let heat = probe::joined(believed, seen.probes).ok();
        let lost = seen.probes.iter().any(|probe| probe.now.is_none());
        let doubt = doubt.filter(|_| own.is_some() || heat.is_none());
        (heat, doubt.or(lost.then_some(Doubt::Probe)))
    }

    fn decide_seeing(&mut self, now: Moment, heat: Heat, seen: &Observation<'_>) -> Decision {
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
        let before = self.held.state();
        let situation = Situation {
            asked,
            alone: local,
            overheld,
            ..alone
        };
        let draw = seen.reading.draw.ok();
        self.regulator.observe(now, &heat, draw);
        let drive = Drive {
            draw,
            clock: seen.reading.gpu_clock.ok(),
            original: self.original(seen),
        };
        match self.held.step(now, &situation) {
            State::Emergency if before != State::Emergency => self.regulator.bottom(now),
            State::Recovering if !alone.withheld => {
                self.recover(now, &heat, drive.original, seen.apps_well);
            }
            State::Gradual if !seen.paused && (!alone.withheld || heat.at_set_point()) => {
                self.regulator.regulate(now, &heat, drive);
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
            doubt: None,
            withheld: false,
        }
    }

    /// One step of giving back. It is complete only when the applications, told to go on as before,
    /// are well: so never on the tick that tells them.
    fn recover(&mut self, now: Moment, heat: &Heat, original: Watts, apps_well: bool) {
        if !self.given_back {
            self.given_back = self.regulator.give_back(now, heat, original);
        } else if apps_well {
            self.held.recovered();
            self.regulator.reset(now);
        }
    }

    /// Without sight: never less than before, at least the blind cap, and what leases ask.
    fn decide_blind(&mut self, now: Moment, seen: &Observation<'_>) -> Decision {
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

    /// The highest limit that may be set: what was there before us.
    fn original(&self, seen: &Observation<'_>) -> Watts {
        let ours = seen.claim.limit.map(|ours| ours.original);
        let current = seen
            .reading
            .limit
            .ok()
            .or(self.power.map(|power| power.default));
        ours.or(current).unwrap_or_default()
    }

    /// What of the leases' wish is obeyed, and whether some of it isn't.
    fn admit(&mut self, seen: &Observation<'_>, local: Level) -> (Level, bool) {
        let step = seen.lease_clock.since(self.lease_clock);
        self.ledger
            .charge(seen.lease_clock, self.last.level > self.last.asks.local);
        let asked = seen.asked.level();
        // Also the tail of a lease, while its release is being waited for, is held time.
        let above = asked.max(self.held.state().level()) > local;
        let overheld = above && !self.ledger.permits(step);
        (if overheld { Level::None } else { asked }, overheld)
    }

    fn targets(&self, state: State, under_lease: bool) -> Targets {
        let rung = self.regulator.targets();
        match state {
            State::Normal => Targets::default(),
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
        let (Some(ours), Ok(limit)) = (seen.claim.limit, seen.reading.limit) else {
            return false;
        };
        let leans = seen
            .reading
            .draw
            .is_ok_and(|draw| draw >= limit.scaled(BINDS));
        limit < ours.original && leans
    }

    fn transition(
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
        };
        if state == State::Normal {
            self.trigger = None;
        }
        Some(event)
    }

    fn is_infeasible(&mut self, now: Moment, state: State, heat: &Heat) -> bool {
        let coldest =
            state == State::Emergency || (state == State::Gradual && self.regulator.is_exhausted());
        if !coldest || !heat.at_set_point() {
            self.strained_since = None;
            return false;
        }
        now.since(*self.strained_since.get_or_insert(now)) >= INFEASIBLE_AFTER
    }

    /// Somebody else's limit: a lower one stands, a higher one is lowered, at critical every tick.
    fn watch_others(&mut self, now: Moment, seen: &Observation<'_>, decision: &mut Decision) {
        let (Some(mut ours), Ok(current), true) =
            (seen.claim.limit, seen.reading.limit, seen.confirmed)
        else {
            return;
        };
        decision.foreign_limit = !ours.owns(current);
        let verdict = self.contest.observe(now, current, &mut ours);
        let lowers = decision.targets.limit.is_some_and(|limit| limit < current);
        let critical = decision.heat.is_some_and(|heat| heat.is_critical());
        match verdict {
            Verdict::Higher if lowers => self.contest.corrected(now),
            Verdict::HigherWait if lowers && critical => self.contest.corrected(now),
            Verdict::HigherWait if lowers => decision.targets.limit = Some(current),
            Verdict::Ours | Verdict::Lower | Verdict::Higher | Verdict::HigherWait => {}
        }
        decision.contested = decision.level > Level::None && self.contest.is_contested(now);
        if decision.contested {
            let lock = self.regulator.rungs().contested_clock();
            decision.targets.gpu_clock = decision.targets.gpu_clock.or(lock);
        }
    }

    /// The last word on every number: within the card's range, never over the original, and never
    /// up while hot or unseen.
    fn bound(&self, seen: &Observation<'_>, decision: &mut Decision) {
        let may_raise = !self.withholds(seen) && decision.heat.is_some_and(|heat| !heat.is_hot());
        let current = seen.reading.limit.ok();
        let original = seen.claim.limit.map(|ours| ours.original);
        // Another's value becomes the original with the next write; it binds already now.
        let original = if decision.foreign_limit {
            current
        } else {
            original.or(current)
        };
        let wanted = decision
            .targets
            .limit
            .or(original.filter(|_| seen.claim.limit.is_some()));
        let capped = wanted.map(|limit| {
            let limit = self.power.map_or(limit, |power| power.clamp(limit));
            let limit = original.map_or(limit, |original| limit.min(original));
            current
                .filter(|_| !may_raise)
                .map_or(limit, |current| limit.min(current))
        });
        // Giving all back is said as "none", so that the claim ends with it.
        let gives_back = decision.targets.limit.is_none() && capped == original;
        decision.targets.limit = if gives_back { None } else { capped };
        if !may_raise {
            self.keep_locks(seen.claim, &mut decision.targets);
        }
    }

    /// A lock is a limit, too: while hot or unseen, the one that is on the card isn't loosened.
    fn keep_locks(&self, claim: &Claim, targets: &mut Targets) {
        let before = &self.last.targets;
        if claim.gpu_clock {
            targets.gpu_clock = slower(targets.gpu_clock, before.gpu_clock);
        }
        if claim.memory_clock {
            targets.memory_clock = slower(targets.memory_clock, before.memory_clock);
        }
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
        }
    }
}

fn trigger_of(level: Level, asks: Asks, fallback: bool) -> Trigger {
    match level {
        _ if asks.local >= level && fallback => Trigger::Fallback,
        _ if asks.local >= level => Trigger::Local,
        _ if asks.alert >= level => Trigger::Alert,
        _ => Trigger::Manual,
    }
}

fn slower(a: Option<ClockRange>, b: Option<ClockRange>) -> Option<ClockRange> {
    [a, b].into_iter().flatten().min_by_key(|range| range.max)
}

/// Of each target the one that slows more.
fn colder(a: Targets, b: Targets) -> Targets {
    Targets {
        limit: [a.limit, b.limit].into_iter().flatten().min(),
        gpu_clock: slower(a.gpu_clock, b.gpu_clock),
        memory_clock: slower(a.memory_clock, b.memory_clock),
        app: a.app.max(b.app).max(AppMode::Gradual),
    }
}

#[cfg(test)]
mod tests;
