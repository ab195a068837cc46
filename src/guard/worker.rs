//! The control loop of one GPU: one OS thread that owns the card's handle, because NVML blocks. A
//! hung call costs this thread and nothing else.

mod card;
mod energy;
mod gone;
mod leaving;

use std::sync::Arc;
use std::time::Duration;

use crate::device::{Driver, Facts, Gpu, Identity, Missing, Reading};
use crate::policy::{Decision, Event, Observation, Policy, Probe, Targets, Trips, Unguarded};
use crate::units::{Celsius, Moment};

use super::actuate::Hand;
use super::clock::Clock;
use super::events::{GpuName, LeaseTurn, Watch, What};
use super::journal::{Entry, Reason};
use super::probe::Probes;
use super::shared::{Inputs, Live, Shared};
use super::tally::Tally;
use super::tick::{Permission, Tick};
use super::unread::Unread;
use energy::Energy;

/// What a worker needs to begin with.
pub struct Setup {
    pub identity: Arc<Identity>,
    pub driver: Arc<dyn Driver>,
    pub hand: Hand,
    /// What a guard before this one left behind.
    pub left: Option<Entry>,
    /// False without a lock: another guard may hold the GPU.
    pub may_write: bool,
}

/// One GPU's control loop.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances of one card"
)]
pub struct Worker {
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    driver: Arc<dyn Driver>,
    /// The settings in force.
    live: Arc<Live>,
    hand: Hand,
    left: Option<Entry>,
    /// What that was couldn't be read yet.
    unread: Option<Unread>,
    may_write: bool,
    gpu: Option<Box<dyn Gpu>>,
    probes: Probes,
    tried: Option<Moment>,
    absence: gone::Absence,
    policy: Option<Policy>,
    full_at: Option<Moment>,
    failing_since: Option<Moment>,
    /// How often in a row the handle was given up for a core sensor that only fails.
    gave_up: u32,
    energy: Energy,
    /// The last tick in turn.
    beat: Option<Moment>,
    /// This one is out of turn.
    woken: bool,
    /// The applications have answered their health URLs since they were last told something.
    apps_well: bool,
    last: Option<(Moment, Decision)>,
    last_success: Option<Duration>,
    changed: Duration,
    /// Shown as let go of.
    let_go: bool,
    /// The trips that the log was told of, where they aren't as configured.
    lowered: Option<Trips>,
    tally: Tally,
    watch: Watch,
}

impl Worker {
    pub fn new(setup: Setup, live: Arc<Live>) -> Self {
        let mut probes = Probes::default();
        probes.choose(&live.sensors, &setup.identity);
        Self {
            identity: setup.identity,
            facts: Arc::new(Facts::default()),
            driver: setup.driver,
            live,
            hand: setup.hand,
            left: setup.left,
            unread: None,
            may_write: setup.may_write,
            gpu: None,
            probes,
            tried: None,
            absence: gone::Absence::default(),
            policy: None,
            full_at: None,
            failing_since: None,
            gave_up: 0,
            energy: Energy::default(),
            beat: None,
            woken: false,
            apps_well: true,
            last: None,
            last_success: None,
            changed: Clock::unix(),
            let_go: false,
            lowered: None,
            tally: Tally::default(),
            watch: Watch::default(),
        }
    }

    /// What a guard before this one left is known later.
    pub(super) fn take_up_later(&mut self, unread: Unread) {
        self.unread = Some(unread);
    }

    /// Counters of a worker before this one go on.
    pub fn count_on(&mut self, tally: Tally) {
        self.watch = Watch::from(tally.clone());
        self.tally = tally;
    }

    /// One tick at `now` (the sampling's clock) and `wall` (the leases').
    pub fn tick(&mut self, now: Moment, wall: Moment, shared: &Shared) -> Tick {
        let had = self.gpu.is_some();
        self.attach(now);
        if !had && self.gpu.is_some() {
            shared.opened(&self.identity);
        }
        self.keep_beat(now);
        self.look_for_left(now);
        let reading = self.read(now);
        self.follow(shared);
        let probes = self.look_beside(now);
        let inputs = shared.inputs(&self.identity.uuid, wall);
        for &xid in &inputs.xids {
            self.tally.xid(xid, Clock::unix());
        }
        let decision = self.decide(now, wall, &reading, &probes, &inputs);
        if decision.foreign_limit
            && let Ok(limit) = reading.limit
        {
            self.hand.adopt_foreign(limit, &mut self.tally);
        }
        let seen_cool = decision.heat.is_some_and(|heat| !heat.is_hot());
        self.hand.set_may_loosen(seen_cool && !decision.withheld);
        for (knob, &renew) in decision.renew.iter() {
            if renew {
                tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, knob = knob.name(), "the clock runs above its lock: somebody reset it; setting it again");
                self.hand.renew(knob);
            }
        }
        if let Some(policy) = &self.policy {
            let reason = Reason {
                state: decision.state.name(),
                doubted: policy.doubted(),
            };
            self.hand.set_reason(reason, &mut self.tally);
        }
        if let Some(gpu) = self.gpu.as_mut().filter(|_| self.may_write) {
            self.hand
                .apply(gpu.as_mut(), &decision.targets, &reading, &mut self.tally);
        }
        if let Some(app) = self.app_mode(now, &decision, inputs.paused_until.is_some()) {
            self.apps_well = shared.tell_apps(&self.identity, app);
        }
        self.say_lowered();
        self.account(now, &reading, &decision);
        let up = self.gpu.is_some();
        let tick = Tick {
            probes,
            ..self.publish(reading, decision, wall, up, inputs.paused_until)
        };
        for (holder, level, turn) in inputs.turns {
            self.note(shared, LeaseTurn::of(holder, level, turn));
        }
        for what in self.watch.see(&tick) {
            self.note(shared, what);
        }
        tick
    }

    fn note(&self, shared: &Shared, what: What) {
        shared.events.note(Some(GpuName::of(&self.identity)), what);
    }

    /// The configuration no longer names this GPU, and nothing of ours is on it.
    pub fn is_retired(&self) -> bool {
        let idle = self
            .last
            .is_none_or(|(_, decision)| decision.targets == Targets::default());
        let nothing_left =
            self.left.is_none() && self.unread.is_none() && self.hand.claim().is_empty();
        !(self.live.selects)(&self.identity) && nothing_left && idle
    }

    /// What is shown while the card is let go of.
    pub fn idle(&mut self, now: Moment, wall: Moment) -> Tick {
        let decision = self
            .last
            .map_or_else(Decision::unseen, |(_, decision)| decision);
        // That was the last tick's transition, not this one's; and nothing is done meanwhile.
        let unguarded = Decision::unguarded(Unguarded::Detached);
        if decision.state != unguarded.state && !std::mem::replace(&mut self.let_go, true) {
            self.changed = Clock::unix();
        }
        let decision = Decision {
            event: None,
            state: unguarded.state,
            level: unguarded.level,
            unguarded: unguarded.unguarded,
            sensors: unguarded.sensors,
            knobs: unguarded.knobs,
            ..decision
        };
        self.publish(
            Reading::missing(now, Missing::Lost),
            decision,
            wall,
            false,
            None,
        )
    }

    fn keep_beat(&mut self, now: Moment) {
        let half = self.live.poll_interval / 2;
        self.woken = self.beat.is_some_and(|at| now.since(at) < half);
        if !self.woken {
            self.beat = Some(now);
        }
    }

    /// Settings that were reloaded are in force from this tick on.
    fn follow(&mut self, shared: &Shared) {
        let live = shared.live();
        if Arc::ptr_eq(&live, &self.live) {
            return;
        }
        self.hand.set_restore_clock(live.restore_clock);
        if let Some(policy) = &mut self.policy {
            policy.reconfigure(live.settings.clone(), &self.facts);
        }
        self.live = live;
        self.probes.choose(&self.live.sensors, &self.identity);
    }

    fn decide(
        &mut self,
        now: Moment,
        wall: Moment,
        reading: &Reading,
        probes: &[Probe],
        inputs: &Inputs,
    ) -> Decision {
        let seen = Observation {
            reading,
            facts: &self.facts,
            open: self.gpu.is_some(),
            locked_out: !self.may_write,
            observes: self.hand.permission() == Permission::Observe,
            has_app: (self.live.has_app)(&self.identity),
            writes: self.hand.writes(),
            probes,
            woken: self.woken,
            claim: self.hand.claim(),
            confirmed: self.hand.confirmed(),
            set_lately: reading.limit.is_ok_and(|it| self.hand.has_set_lately(it)),
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

    /// Thresholds that can't stand on this card are lowered, and that is said once.
    fn say_lowered(&mut self) {
        let Some(policy) = &self.policy else {
            return;
        };
        let core = policy.trips().core;
        let lowered = core.are_lowered(&self.live.settings.trips).then_some(core);
        if lowered == self.lowered {
            return;
        }
        self.lowered = lowered;
        if let Some(Trips {
            alert,
            critical,
            safe,
        }) = lowered
        {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, %alert, %critical, %safe, "configured thresholds can't stand on this card and are lowered: keep critical under the card's own slowdown, alert under critical and safe under alert");
        }
    }

    fn account(&mut self, now: Moment, reading: &Reading, decision: &Decision) {
        let step = self.last.map_or(Duration::ZERO, |(at, _)| now.since(at));
        self.tally.decided(decision, step);
        let back = std::mem::replace(&mut self.let_go, false);
        if back
            || self
                .last
                .is_none_or(|(_, last)| last.state != decision.state)
        {
            self.changed = Clock::unix();
        }
        if let Some(event) = decision.event {
            log(&self.identity, event, reading, decision, self.live.observes);
        }
        self.last = Some((now, *decision));
    }

    fn publish(
        &self,
        reading: Reading,
        decision: Decision,
        at: Moment,
        up: bool,
        paused_until: Option<Moment>,
    ) -> Tick {
        let trips = self
            .policy
            .as_ref()
            .and_then(|policy| policy.trips().in_force(&reading));
        Tick {
            identity: self.identity.clone(),
            facts: self.facts.clone(),
            at,
            last_success: self.last_success,
            poll_duration: Duration::ZERO,
            up,
            trips: trips.filter(|_| reading.core.is_ok()),
            reading,
            probes: Vec::new(),
            decision,
            claim: *self.hand.claim(),
            permission: self.hand.permission(),
            writes: *self.hand.writes(),
            held_since: self.hand.since(),
            paused_until,
            changed: self.changed,
            tally: self.tally.clone(),
        }
    }
}

/// Of a guard that only `observes`, what it would do: nothing is on the card.
fn log(identity: &Identity, event: Event, reading: &Reading, decision: &Decision, observes: bool) {
    let gpu = identity.index;
    let uuid = identity.uuid.as_str();
    let state = decision.state.name();
    let temperature = reading.core.map(Celsius::degrees).ok();
    let limit = decision.targets.limit.map(crate::units::Watts::as_f64);
    if observes {
        let would = match event {
            Event::Throttled(..) => "throttle",
            Event::Eased => "ease the emergency",
            Event::Recovering => "begin to give back",
            Event::Recovered => "have given everything back",
            Event::Blinded => "cap the GPU, for want of a trustworthy temperature",
        };
        tracing::info!(
            gpu,
            uuid,
            state,
            temperature,
            would_limit = limit,
            would,
            "observing: nothing is done, an enforcing guard would"
        );
        return;
    }
    match event {
        Event::Throttled(level, trigger) => tracing::warn!(
            gpu,
            uuid,
            state,
            throttle = level.name(),
            trigger = trigger.name(),
            temperature,
            limit,
            "throttling"
        ),
        Event::Eased => tracing::info!(gpu, uuid, state, temperature, limit, "emergency over"),
        Event::Recovering => tracing::info!(gpu, uuid, state, temperature, limit, "giving back"),
        Event::Recovered => {
            tracing::info!(gpu, uuid, state, temperature, "thermal recovery completed");
        }
        Event::Blinded => tracing::error!(
            gpu,
            uuid,
            state,
            limit,
            "no trustworthy temperature: capped"
        ),
    }
}
