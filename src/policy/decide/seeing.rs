//! The decision when the temperature is known: the state, and its targets.

use std::time::Duration;

use crate::device::{ClockDomain, SlowdownReason};
use crate::policy::regulate::drive::{BINDS, Drive};
use crate::policy::sense::Judgement;
use crate::policy::sense::trips::Heat;
use crate::policy::state::{Level, Situation, State};
use crate::policy::types::decision::{Asks, Decision};
use crate::policy::types::observation::Observation;
use crate::policy::types::targets::{Targets, slower};
use crate::units::{Celsius, Megahertz, Moment, Watts};

use super::policy::Policy;

/// The last rung needs this long to have an effect, while its limit is lowered step by step.
const LAST_RUNG_HELPS: Duration = Duration::from_secs(30);
/// After a longer time without a tick, nothing was held for leases' sake all along: the guard was away.
const LONGEST_TICK: Duration = Duration::from_secs(10);
/// A knob outside the plan goes back after so long under the set point. Otherwise a card that is steady
/// between safe and alert would stay slow for ever.
const KEPT_FOR: Duration = Duration::from_secs(300);
/// Above alert by more than the rounding of a reading.
const SURELY_HOT: Celsius = Celsius::new(-1.0);

impl Policy {
    pub(super) fn decide_seeing(
        &mut self,
        now: Moment,
        heat: Heat,
        judged: &Judgement,
        seen: &Observation<'_>,
    ) -> Decision {
        self.blind_hot = None;
        // A lease's ceiling alone is no reason for the local loop to hold the GPU. Otherwise a
        // lease would keep the local level for ever.
        let keeps_some = self.keeps_some(now, &heat, seen);
        let binds = Self::binds(seen) && (self.regulates() || keeps_some);
        // Without full fans the card would be hotter.
        let hot = self.local.state().level() > Level::None;
        let binds = binds || (hot && seen.claim.fans.any());
        let alone = Situation {
            heat,
            binds,
            asked: Level::None,
            alone: Level::None,
            overheld: false,
            paused: seen.paused,
            withheld: self.withholds(seen) || (judged.forbids_raises() && !seen.paused),
            needs_fans: self.needs_fans(seen),
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
        self.regulator.observe(now, &heat, &drive);
        match self.held.step(now, &situation) {
            State::Emergency if before != State::Emergency => self.regulator.bottom(now),
            State::Recovering if !alone.withheld => {
                self.recover(now, &heat, &drive, seen);
            }
            State::Gradual if !seen.paused && (!alone.withheld || heat.at_set_point()) => {
                self.regulate(now, &heat, drive, seen);
            }
            _ => {}
        }
        let state = self.held.state();
        self.given_back &= state == State::Recovering;
        self.fans_full = self.fans_full.filter(|_| state == State::Gradual);
        self.note_fans(now, state, seen);
        let under_lease = self.is_under_lease(now, asked, overheld);
        let targets = self.targets(state, under_lease);
        let asks = Asks {
            local,
            alert: seen.asked.alert,
            manual: seen.asked.manual,
        };
        let transition = self.transition(self.last.state, state, asks, seen.fallback);
        Decision {
            state,
            level: state.level(),
            targets,
            heat: Some(heat),
            asks,
            trigger: self.cause(&heat, asks, overheld, seen),
            transition,
            infeasible: self.is_infeasible(now, state, &heat),
            contested: false,
            foreign_limit: false,
            overheld,
            ..Decision::unseen()
        }
    }

    /// The regulator holds the card back: more than the ceiling of a lease does by itself.
    fn regulates(&self) -> bool {
        let own = self.regulator.targets();
        let by_ceiling = self.leased.is_some() && self.under_ceiling(own) != own;
        !self.regulator.is_released() && !by_ceiling
    }

    /// A knob that the plan no longer has is still set: by a reload, for example. It goes back when the GPU
    /// is safe, as what the plan has does, or when it was under its set point for long.
    fn keeps_some(&mut self, now: Moment, heat: &Heat, seen: &Observation<'_>) -> bool {
        let gpu = ClockDomain::Gpu;
        let keeps = (seen.claim.limit.is_some() && self.means.power.is_none())
            || (seen.claim.locks[gpu] && !self.means.locks[gpu]);
        if !keeps || heat.at_set_point() {
            self.kept_since = None;
            return keeps;
        }
        now.since(*self.kept_since.get_or_insert(now)) < KEPT_FOR
    }

    /// `normal` means that none of the guard's settings are on the card.
    fn recover_again(&mut self, now: Moment, seen: &Observation<'_>) {
        if self.held.state() == State::Normal && !seen.claim.is_empty() {
            self.held.recover_again(now);
            self.given_back = true;
        }
    }

    /// The power side of the card. If the draw can't be read, it counts as the highest that the
    /// limit allows.
    fn drive(&self, judged: &Judgement, seen: &Observation<'_>) -> Drive {
        let limit = seen.reading.limit_on_card();
        let default = self.power.map(|power| power.default);
        Drive {
            draw: judged.draw.or(limit).or(default),
            measured: judged.draw,
            capped: Self::is_capped(seen),
            clock: seen.reading.gpu_clock.ok(),
            original: self.original(seen),
            limit: Self::planned_from(seen),
            ceiling: self.ceiling_on_card(seen),
        }
    }

    /// The upper end of the guard's SM clock lock on the card, as the last tick set it.
    fn ceiling_on_card(&self, seen: &Observation<'_>) -> Option<Megahertz> {
        let ours = self.last.targets.locks[ClockDomain::Gpu];
        let is_set = seen.observes || seen.claim.locks[ClockDomain::Gpu];
        ours.filter(|_| is_set).map(|range| range.max)
    }

    /// The limit on the card. If another program set a higher one, this tick lowers it; so then it
    /// is the guard's own.
    fn planned_from(seen: &Observation<'_>) -> Option<Watts> {
        let limit = seen.reading.limit_on_card().filter(|_| !seen.observes)?;
        let ours = seen.claim.limit.filter(|_| seen.confirmed);
        Some(ours.map_or(limit, |ours| limit.min(ours.next)))
    }

    /// One tick of gradual: the fans first, and then power.
    fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive, seen: &Observation<'_>) {
        if !self.fans_suffice(now, heat, seen) {
            self.regulator.regulate(now, heat, drive);
            self.go_to_the_end(now, heat);
        }
    }

    /// A card that stays at alert on the last rung gets every measure there is, whatever the
    /// regulator predicts.
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

    /// One step of giving back. The recovery ends when the card has everything back and the
    /// applications are healthy after they were told to go on as before. So it never ends on the
    /// tick that tells them.
    fn recover(&mut self, now: Moment, heat: &Heat, drive: &Drive, seen: &Observation<'_>) {
        if !self.given_back {
            self.given_back = self.regulator.give_back(now, heat, drive);
        } else if seen.apps_well && seen.claim.is_empty() {
            self.held.recovered();
            self.regulator.reset(now);
        }
    }

    /// The highest limit that may be set: the one from before the guard.
    fn original(&self, seen: &Observation<'_>) -> Watts {
        let ours = seen.claim.limit.map(|ours| ours.original);
        let current = seen
            .reading
            .limit_on_card()
            .or(self.power.map(|power| power.default));
        ours.or(current).unwrap_or_default()
    }

    /// How much of the leases' request is obeyed, and whether part of it isn't.
    pub(super) fn admit(&mut self, seen: &Observation<'_>, local: Level) -> (Level, bool) {
        let step = self
            .lease_clock
            .map(|before| seen.lease_clock.since(before));
        let step = step.unwrap_or_default().min(LONGEST_TICK);
        let above = self.last.level > self.last.asks.local;
        let giving_back = self.last.state == State::Recovering && !seen.claim.is_empty();
        self.brought_by_leases = above || (self.brought_by_leases && giving_back);
        self.ledger.charge(seen.lease_clock, self.brought_by_leases);
        let asked = seen.asked.level();
        // The time after a lease's end, until its release, also counts as held.
        let held = self.brought_by_leases && self.held.state().level() > local;
        let above = asked > local || held;
        let overheld = above && !self.ledger.permits(step);
        (if overheld { Level::None } else { asked }, overheld)
    }

    fn targets(&self, state: State, under_lease: bool) -> Targets {
        let rung = self.with_fans(state, self.regulator.targets());
        match state {
            State::Normal | State::Unguarded => Targets::default(),
            State::Recovering if self.given_back => Targets::default(),
            State::Gradual if under_lease => self.under_ceiling(rung),
            State::Emergency => rung.colder(self.regulator.rungs().emergency()),
            State::Gradual | State::Recovering | State::Blind => rung,
        }
    }

    /// A gradual lease also caps the limit. After its end the cap goes no faster than anything
    /// else: a `resolved` may come because Prometheus died, and a flapping alert must not cause
    /// writes.
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

    /// The limit under a gradual lease; and where no limit can be set, the clock.
    fn under_ceiling(&self, targets: Targets) -> Targets {
        if self.regulator.is_by_clock() || self.means.power.is_none() {
            let gpu = ClockDomain::Gpu;
            let lock = slower(targets.locks[gpu], self.regulator.rungs().leased_clock());
            let locks = targets.locks.with(gpu, lock);
            return Targets { locks, ..targets };
        }
        let Some(power) = self.power else {
            return targets;
        };
        let ceiling = power.share_of_default(self.settings.lease_ceiling);
        Targets {
            limit: Some(targets.limit.map_or(ceiling, |limit| limit.min(ceiling))),
            ..targets
        }
    }

    /// A setting of the guard holds the GPU back: a lock, or a limit that the draw reaches.
    pub(super) fn binds(seen: &Observation<'_>) -> bool {
        if seen.claim.has_lock() {
            return true;
        }
        let (Some(ours), Some(limit)) = (seen.claim.limit, seen.reading.limit_on_card()) else {
            return false;
        };
        // If the draw is unknown, the limit may hold the GPU back.
        let leans = |draw: Watts| draw >= limit.scaled(BINDS);
        let holds = seen.reading.draw.map_or(true, leans) || Self::is_capped(seen);
        limit < ours.original && holds
    }

    /// The driver says that the power limit holds the clock back. A draw with short gaps is lower than
    /// the limit on average.
    fn is_capped(seen: &Observation<'_>) -> bool {
        let reasons = seen.reading.slowdown_reasons;
        reasons.is_ok_and(|reasons| reasons.contains(SlowdownReason::SoftwarePowerCap))
    }
}
