//! The control loop of one GPU: one OS thread that owns the card's handle, because NVML blocks. A
//! hung call costs this thread and nothing else.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::device::{Cadence, Driver, Facts, Gpu, Identity, Missing, Reading};
use crate::policy::probe::joined;
use crate::policy::{AppMode, Decision, Event, Observation, Policy, Probe, Targets};
use crate::units::{Celsius, Moment};

use super::actuate::Hand;
use super::clock::Clock;
use super::events::{GpuName, LeaseTurn, Watch, What};
use super::inherit::{Inherited, inherit};
use super::journal::Entry;
use super::probe::Probes;
use super::shared::{Inputs, Live, Shared};
use super::tally::Tally;
use super::tick::{Permission, Tick};

/// Slow readings (fans, energy, ECC) cost milliseconds and change slowly.
const FULL_EVERY: Duration = Duration::from_secs(5);

/// Between two tries to open a lost card.
const REOPEN_EVERY: Duration = Duration::from_secs(2);

/// A driver or a disk may stumble just when all is to be given back: so many tries, so far apart.
const LEAVE_TRIES: u32 = 4;
const LEAVE_TRY_EVERY: Duration = Duration::from_millis(100);

/// A core sensor that fails for this long: the handle may be stale.
const STALE_AFTER: Duration = Duration::from_secs(30);

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
pub struct Worker {
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    driver: Arc<dyn Driver>,
    /// The settings in force.
    live: Arc<Live>,
    hand: Hand,
    left: Option<Entry>,
    may_write: bool,
    gpu: Option<Box<dyn Gpu>>,
    probes: Probes,
    tried: Option<Moment>,
    policy: Option<Policy>,
    full_at: Option<Moment>,
    failing_since: Option<Moment>,
    energy: Option<u64>,
    /// The last tick in turn.
    beat: Option<Moment>,
    /// This one is out of turn.
    woken: bool,
    /// The applications have answered their health URLs since they were last told something.
    apps_well: bool,
    last: Option<(Moment, Decision)>,
    last_success: Option<Duration>,
    changed: Duration,
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
            may_write: setup.may_write,
            gpu: None,
            probes,
            tried: None,
            policy: None,
            full_at: None,
            failing_since: None,
            energy: None,
            beat: None,
            woken: false,
            apps_well: true,
            last: None,
            last_success: None,
            changed: Clock::unix(),
            tally: Tally::default(),
            watch: Watch::default(),
        }
    }

    /// Counters of a worker before this one go on.
    pub fn count_on(&mut self, tally: Tally) {
        self.watch = Watch::from(tally.clone());
        self.tally = tally;
    }

    /// One tick at `now` (the sampling's clock) and `wall` (the leases').
    pub fn tick(&mut self, now: Moment, wall: Moment, shared: &Shared) -> Tick {
        self.attach(now);
        self.keep_beat(now);
        let reading = self.read(now);
        self.follow(shared, &reading);
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
        if let Some(gpu) = self.gpu.as_mut().filter(|_| self.may_write) {
            self.hand
                .apply(gpu.as_mut(), &decision.targets, &reading, &mut self.tally);
        }
        self.apps_well = shared.tell_apps(&self.identity, decision.targets.app);
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
        let nothing_left = self.left.is_none() && self.hand.claim().is_empty();
        !(self.live.selects)(&self.identity) && nothing_left && idle
    }

    /// Lets go of the card: a stop, a detach, or a lost GPU's last tick. What is throttled is given
    /// back at or under safe, and otherwise stays, journaled.
    pub fn leave(&mut self, now: Moment, shared: &Shared) {
        let Some(gpu) = self.gpu.take() else {
            return;
        };
        self.tried = None;
        self.part_with(gpu, now, shared);
        // Closing the card is a call that can hang, too: its applications were told to slow down
        // then, and no tick tells them that it is over.
        let last = self.last.map(|(_, decision)| decision.targets.app);
        shared.tell_apps(&self.identity, last.unwrap_or_default());
    }

    fn part_with(&mut self, mut gpu: Box<dyn Gpu>, now: Moment, shared: &Shared) {
        let held = !self.hand.claim().is_empty();
        let uuid = self.identity.uuid.clone();
        if self.live.keep_on_exit {
            if held {
                self.note_left(shared, true);
                tracing::info!(gpu = self.identity.index, %uuid, "kept throttled, as configured");
            }
            return;
        }
        for attempt in 0..LEAVE_TRIES {
            if attempt > 0 {
                thread::sleep(LEAVE_TRY_EVERY);
            }
            let reading = gpu.read(now, Cadence::Fast);
            let probes = self.look_beside(now);
            if !self.is_safe(&reading, &probes) {
                break;
            }
            self.hand.set_may_loosen(true);
            self.hand.give_back(gpu.as_mut(), &reading, &mut self.tally);
            if self.hand.claim().is_empty() {
                self.left_clean(now, held, shared);
                return;
            }
        }
        if held {
            self.note_left(shared, true);
            tracing::warn!(gpu = self.identity.index, %uuid, "left capped: still above safe, or it takes no write; `thermal-guard restore` gives it back");
        }
    }

    /// Cool enough to give all back at once.
    fn is_safe(&self, reading: &Reading, probes: &[Probe]) -> bool {
        let Some(policy) = &self.policy else {
            return false;
        };
        let heat = joined(policy.trips().heat(reading), probes);
        !probes.iter().any(Probe::withholds) && heat.is_ok_and(|heat| heat.is_safe())
    }

    fn left_clean(&mut self, now: Moment, held: bool, shared: &Shared) {
        shared.tell_apps(&self.identity, AppMode::Normal);
        if let Some(policy) = &mut self.policy {
            policy.released(now);
        }
        self.last = None;
        if held {
            self.note_left(shared, false);
            tracing::info!(gpu = self.identity.index, uuid = %self.identity.uuid, "given back on leaving");
        }
    }

    fn note_left(&mut self, shared: &Shared, capped: bool) {
        let what = self.watch.left(capped);
        self.note(shared, what);
    }

    /// What is shown while the card is let go of.
    pub fn idle(&mut self, now: Moment, wall: Moment) -> Tick {
        let decision = self
            .last
            .map_or_else(Decision::unseen, |(_, decision)| decision);
        // That was the last tick's transition, not this one's.
        let decision = Decision {
            event: None,
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

    fn attach(&mut self, now: Moment) {
        if self.gpu.is_some() || self.tried.is_some_and(|at| now.since(at) < REOPEN_EVERY) {
            return;
        }
        let first = self.tried.is_none();
        self.tried = Some(now);
        match self.driver.open(&self.identity.uuid) {
            Ok(gpu) => self.opened(gpu),
            Err(error) if first => {
                tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, %error, "GPU can't be opened");
            }
            Err(_) => {}
        }
    }

    fn opened(&mut self, gpu: Box<dyn Gpu>) {
        self.identity = gpu.identity().clone();
        self.facts = gpu.facts().clone();
        self.probes.choose(&self.live.sensors, &self.identity);
        if !gpu.writes() {
            self.hand.set_permission(Permission::Observe);
        }
        if self.policy.is_some() {
            self.tally.reopened += 1;
            tracing::info!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU is back");
        }
        self.hand.reopened(&self.identity);
        self.gpu = Some(gpu);
        self.full_at = None;
    }

    fn read(&mut self, now: Moment) -> Reading {
        let Some(gpu) = &mut self.gpu else {
            return Reading::missing(now, Missing::Lost);
        };
        // Who woke us waits for a write: what is slow to read can wait for the tick in turn.
        let is_fast = |at| self.woken || now.since(at) < FULL_EVERY;
        let fast = self.full_at.is_some_and(is_fast);
        let cadence = if fast { Cadence::Fast } else { Cadence::Full };
        let reading = gpu.read(now, cadence);
        if reading.is_lost() {
            tracing::error!(gpu = self.identity.index, uuid = %self.identity.uuid, "GPU lost");
            self.gpu = None;
            self.tried = Some(now);
            return reading;
        }
        if cadence == Cadence::Full {
            self.full_at = Some(now);
            self.meet(now, &reading);
        }
        if reading.core.is_err() {
            self.tally.read_failures += 1;
            self.give_up_stale(now, reading.core == Err(Missing::NotSupported));
        } else {
            self.failing_since = None;
            self.last_success = Some(Clock::unix());
        }
        reading
    }

    fn keep_beat(&mut self, now: Moment) {
        let half = self.live.poll_interval / 2;
        self.woken = self.beat.is_some_and(|at| now.since(at) < half);
        if !self.woken {
            self.beat = Some(now);
        }
    }

    fn look_beside(&mut self, now: Moment) -> Vec<Probe> {
        let poll = self.live.poll_interval;
        self.probes.read(now, poll, &self.identity)
    }

    /// A handle whose core sensor only fails may be one of a driver that is gone without saying
    /// so: it is opened anew. A card without such a sensor isn't one.
    fn give_up_stale(&mut self, now: Moment, unsupported: bool) {
        let since = *self.failing_since.get_or_insert(now);
        if !unsupported && now.since(since) >= STALE_AFTER {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "no reading for long: opening the GPU anew");
            self.failing_since = None;
            self.gpu = None;
            self.tried = None;
        }
    }

    /// Settings that were reloaded are in force from this tick on.
    fn follow(&mut self, shared: &Shared, reading: &Reading) {
        let live = shared.live();
        if Arc::ptr_eq(&live, &self.live) {
            return;
        }
        self.hand.set_restore_clock(live.restore_clock);
        if let Some(policy) = &mut self.policy {
            policy.reconfigure(live.settings.clone(), &self.facts, reading);
        }
        self.live = live;
        self.probes.choose(&self.live.sensors, &self.identity);
    }

    /// After a full reading: is this the card, the driver and the limit that we knew?
    fn meet(&mut self, now: Moment, reading: &Reading) {
        let energy = reading.slow.energy_millijoules;
        let reloaded = self
            .energy
            .zip(energy)
            .is_some_and(|(before, now)| now < before);
        self.energy = energy.or(self.energy);
        if reloaded && !self.hand.claim().is_empty() && !self.limit_is_ours(reading) {
            tracing::warn!(gpu = self.identity.index, uuid = %self.identity.uuid, "the driver was reloaded: limits are its defaults now");
            self.hand.forget(&mut self.tally);
        }
        if let Some(policy) = &mut self.policy {
            policy.recalibrate(&self.facts, reading);
        } else {
            let mut policy = Policy::new(self.live.settings.clone(), &self.facts, reading);
            if let Some(left) = self.left.take() {
                adopt(
                    &mut self.hand,
                    &mut policy,
                    now,
                    &left,
                    reading,
                    &mut self.tally,
                );
            }
            self.policy = Some(policy);
        }
    }

    /// A reload leaves the default. A limit that is to the milliwatt what we set has seen none,
    /// whatever the energy counter says: taken for the original, it would never be given back.
    fn limit_is_ours(&self, reading: &Reading) -> bool {
        let default = self.facts.power.map(|power| power.default);
        self.hand
            .claim()
            .limit
            .is_some_and(|ours| reading.limit == Ok(ours.next) && Some(ours.next) != default)
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
            probes,
            woken: self.woken,
            claim: self.hand.claim(),
            confirmed: self.hand.confirmed(),
            asked: inputs.asked,
            lease_clock: wall,
            paused: inputs.paused_until.is_some(),
            fallback: inputs.fallback,
            apps_well: self.apps_well,
        };
        match &mut self.policy {
            Some(policy) => policy.decide(now, &seen),
            None => Decision::unseen(),
        }
    }

    fn account(&mut self, now: Moment, reading: &Reading, decision: &Decision) {
        let step = self.last.map_or(Duration::ZERO, |(at, _)| now.since(at));
        self.tally.decided(decision, step);
        if self
            .last
            .is_none_or(|(_, last)| last.state != decision.state)
        {
            self.changed = Clock::unix();
        }
        if let Some(event) = decision.event {
            log(&self.identity, event, reading, decision);
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
            paused_until,
            changed: self.changed,
            tally: self.tally.clone(),
        }
    }
}

/// Takes over what a guard before this one left, as far as it is still there and ours.
fn adopt(
    hand: &mut Hand,
    policy: &mut Policy,
    now: Moment,
    left: &Entry,
    reading: &Reading,
    tally: &mut Tally,
) {
    let (gpu, uuid) = (hand.index(), &left.uuid);
    match inherit(hand, left, reading, tally) {
        Inherited::Nothing(reason) => {
            tracing::info!(gpu, %uuid, reason, "a dead guard's journal is void");
        }
        Inherited::Ours => {}
        Inherited::AllButTheLimit => {
            tracing::warn!(gpu, %uuid, "somebody else changed the limit since a dead guard wrote it: theirs stands");
        }
    }
    let claim = *hand.claim();
    if !claim.is_empty() {
        tracing::info!(gpu, %uuid, "going on with what a dead guard left throttled");
        policy.adopt(now, &claim);
    }
}

fn log(identity: &Identity, event: Event, reading: &Reading, decision: &Decision) {
    let gpu = identity.index;
    let uuid = identity.uuid.as_str();
    let state = decision.state.name();
    let temperature = reading.core.map(Celsius::degrees).ok();
    let limit = decision.targets.limit.map(crate::units::Watts::as_f64);
    match event {
        Event::Throttled(level, trigger) => tracing::warn!(
            gpu,
            uuid,
            state,
            level = level.name(),
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
