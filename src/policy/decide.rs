//! One tick of the policy: see, decide the state, choose the targets, bound them.

mod blind;
mod bound;
mod signs;

use crate::device::{Facts, Missing, PowerConstraints, Reading};
use crate::units::{Moment, Ratio, Watts};

use super::claim::{Claim, Contest};
use super::governor::Drive;
use super::hold::HoldLedger;
use super::probe::{self, Probe};
use super::regulator::Regulator;
use super::rungs::Targets;
use super::sight::{Sight, View};
use super::state::{Level, Machine, Situation, State};
use super::witness::{Doubt, Witness};
use super::zone::{Heat, TripTable};
use super::{Asks, Decision, Observation, Settings, Trigger};
use bound::colder;

/// A limit that the draw doesn't reach by this much doesn't hold anything back.
const BINDS: Ratio = Ratio::new(0.95);

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

#[cfg(test)]
mod tests;
