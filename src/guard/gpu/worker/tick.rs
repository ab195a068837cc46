//! One tick: read, decide, write, publish.

use std::time::Duration;

use crate::clock::Clock;
use crate::device::{Missing, Reading};
use crate::events::{GpuName, LeaseTurn, What};
use crate::guard::actuate::journal::Reason;
use crate::guard::outcomes::{Outcomes, Xid};
use crate::guard::state::{Inputs, Shared};
use crate::guard::tick::{Permission, Tick};
use crate::policy::{Decision, ExtraSensor, Observation, Unguarded};
use crate::units::Moment;

use super::log::log;
use super::state::Worker;

/// The parts of one tick that don't come from the worker's memory.
struct Parts {
    at: Moment,
    poll_duration: Duration,
    up: bool,
    reading: Reading,
    probes: Vec<ExtraSensor>,
    decision: Decision,
    outcomes: Outcomes,
    paused_until: Option<Moment>,
}

impl Worker {
    /// One tick at `now` (the sampling's clock) and `wall` (the leases').
    pub fn tick(&mut self, now: Moment, wall: Moment, shared: &Shared) -> Tick {
        let began = shared.clock.wall();
        let had = self.gpu.is_some();
        self.attach(now);
        if !had && self.gpu.is_some() {
            shared.opened(&self.identity);
        }
        self.keep_beat(now);
        self.read_left_journal(now);
        let reading = self.read(now);
        self.follow(shared);
        let probes = self.read_extra(now);
        let mut inputs = shared.take_inputs(&self.identity.uuid, wall);
        let decision = self.decide(now, wall, &reading, &probes, &inputs);
        self.say_why(&decision, &probes);
        self.carry_out(&decision, &reading);
        if let Some(app) = self.app_mode(now, &decision, inputs.paused_until.is_some()) {
            self.apps_well = shared.tell_apps(&self.identity, app);
        }
        self.say_lowered();
        let outcomes = self.take_outcomes(std::mem::take(&mut inputs.xids));
        let work = self.watch_cooling(now, &reading, &probes, &decision, shared);
        self.counters.add_work(work);
        self.account(now, &reading, &decision, &outcomes);
        let tick = self.publish(Parts {
            at: wall,
            poll_duration: shared.clock.wall().since(began),
            up: self.gpu.is_some(),
            reading,
            probes,
            decision,
            outcomes,
            paused_until: inputs.paused_until,
        });
        for (holder, level, turn) in inputs.turns {
            let alert = shared.alert_behind(holder);
            self.note(shared, LeaseTurn::of(holder, alert.as_deref(), level, turn));
        }
        for what in self.watch.see(&tick) {
            self.note(shared, what);
        }
        tick
    }

    /// For the journal's next reader.
    fn say_why(&mut self, decision: &Decision, probes: &[ExtraSensor]) {
        let Some(policy) = &self.policy else {
            return;
        };
        let before = &self.actuation.reason().hot_files;
        let held = !self.actuation.claim().is_empty();
        // One that comes and goes around safe is one change, not a write each time.
        let counts = |it: &&ExtraSensor| it.may_be_hot() || held && before.contains(&it.name);
        let reason = Reason {
            state: Some(decision.state),
            doubted: policy.doubted(),
            hot_files: probes
                .iter()
                .filter(counts)
                .map(|it| it.name.clone())
                .collect(),
        };
        self.actuation.set_reason(reason);
    }

    /// Brings the card to what was decided.
    fn carry_out(&mut self, decision: &Decision, reading: &Reading) {
        if decision.foreign_limit
            && let Ok(limit) = reading.limit
        {
            self.actuation.adopt_foreign(limit);
        }
        let seen_cool = decision.heat.is_some_and(|heat| !heat.is_hot());
        self.actuation
            .set_may_loosen(seen_cool && !decision.withheld);
        for (knob, &renew) in decision.renew.iter() {
            if renew {
                tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, knob = knob.name(), "the clock runs above its lock: somebody reset it; setting it again");
                self.actuation.renew(knob);
            }
        }
        match self.gpu.as_mut().filter(|_| self.may_write) {
            Some(gpu) => self
                .actuation
                .apply(gpu.as_mut(), &decision.targets, reading),
            None => self.actuation.note_limit(reading),
        }
    }

    /// The outcomes since the last call.
    fn take_outcomes(&mut self, xids: Vec<u64>) -> Outcomes {
        let at = Clock::unix();
        let mut outcomes = std::mem::take(&mut self.outcomes);
        outcomes
            .xids
            .extend(xids.into_iter().map(|code| Xid { code, at }));
        outcomes.then(self.actuation.take_outcomes())
    }

    pub(super) fn note(&self, shared: &Shared, what: What) {
        shared.events.note(Some(GpuName::of(&self.identity)), what);
    }

    /// The tick that is shown while the guard is detached.
    pub fn idle(&mut self, now: Moment, shared: &Shared) -> Tick {
        let decision = self
            .last
            .map_or_else(Decision::unseen, |(_, decision)| decision);
        // The last tick's transition isn't this one's, and nothing is done meanwhile.
        let unguarded = Decision::unguarded(Unguarded::Detached);
        if decision.state != unguarded.state && !std::mem::replace(&mut self.let_go, true) {
            self.changed = Clock::unix();
        }
        let decision = Decision {
            transition: None,
            state: unguarded.state,
            level: unguarded.level,
            unguarded: unguarded.unguarded,
            sensors: unguarded.sensors,
            knobs: unguarded.knobs,
            ..decision
        };
        let outcomes = self.take_outcomes(Vec::new());
        self.counters.add_outcomes(&outcomes);
        let tick = self.publish(Parts {
            at: shared.clock.wall(),
            poll_duration: Duration::ZERO,
            up: false,
            reading: Reading::missing(now, Missing::Lost),
            probes: Vec::new(),
            decision,
            outcomes,
            paused_until: None,
        });
        for what in self.watch.see_detached(&tick) {
            self.note(shared, what);
        }
        tick
    }

    fn decide(
        &mut self,
        now: Moment,
        wall: Moment,
        reading: &Reading,
        probes: &[ExtraSensor],
        inputs: &Inputs,
    ) -> Decision {
        let seen = Observation {
            reading,
            facts: &self.facts,
            open: self.gpu.is_some(),
            locked_out: !self.may_write,
            observes: self.actuation.permission() == Permission::Observe,
            has_app: self.live.has_app(&self.identity),
            writes: self.actuation.writes(),
            extra_sensors: probes,
            woken: self.woken,
            claim: self.actuation.claim(),
            confirmed: self.actuation.confirmed(),
            set_lately: reading
                .limit
                .is_ok_and(|it| self.actuation.has_set_lately(it)),
            asked: inputs.asked,
            lease_clock: wall,
            paused: inputs.paused_until.is_some(),
            fallback: inputs.fallback,
            apps_well: self.apps_well,
        };
        match &mut self.policy {
            Some(policy) => policy.decide(now, &seen),
            None => Decision::unguarded(Unguarded::NotOpen),
        }
    }

    fn account(
        &mut self,
        now: Moment,
        reading: &Reading,
        decision: &Decision,
        outcomes: &Outcomes,
    ) {
        // Nothing of the time without the card counts as throttled.
        let was_away = std::mem::take(&mut self.was_away);
        let last = self.last.filter(|_| !was_away);
        let step = last.map_or(Duration::ZERO, |(at, _)| now.since(at));
        self.counters.add(decision, step, outcomes);
        let back = std::mem::replace(&mut self.let_go, false);
        if back
            || self
                .last
                .is_none_or(|(_, last)| last.state != decision.state)
        {
            self.changed = Clock::unix();
        }
        if let Some(event) = decision.transition {
            log(&self.identity, event, reading, decision, self.live.observes);
        }
        self.last = Some((now, *decision));
    }

    /// The one place that puts a tick together.
    fn publish(&self, parts: Parts) -> Tick {
        let policy = self.policy.as_ref();
        let trips = policy.and_then(|policy| policy.trips().in_force(&parts.reading));
        Tick {
            identity: self.identity.clone(),
            facts: self.facts.clone(),
            at: parts.at,
            last_success: self.last_success,
            poll_duration: parts.poll_duration,
            up: parts.up,
            trips: trips.filter(|_| parts.reading.core.is_ok()),
            reading: parts.reading,
            probes: parts.probes,
            decision: parts.decision,
            claim: *self.actuation.claim(),
            permission: self.actuation.permission(),
            outcomes: parts.outcomes,
            held_since: self.actuation.since(),
            paused_until: parts.paused_until,
            changed: self.changed,
            cooling: *self.cooling.health(),
            receipt: self.ledger.receipt(),
            counters: self.counters.clone(),
        }
    }
}
