//! The worker: the memory of one GPU's control loop.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::device::{Driver, Facts, Gpu, Identity};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal::Entry;
use crate::guard::actuate::unread::Unread;
use crate::guard::counters::Counters;
use crate::guard::gpu::changes::Watch;
use crate::guard::gpu::sensors::Probes;
use crate::guard::outcomes::Outcomes;
use crate::guard::state::{Live, Shared};
use crate::policy::cooling::{Cooling, Ledger};
use crate::policy::{Decision, Policy, Targets, Trips};
use crate::units::Moment;

use super::energy::Energy;
use super::gone::Absence;

/// What a worker starts with.
pub struct Setup {
    pub identity: Arc<Identity>,
    pub driver: Arc<dyn Driver>,
    pub actuation: Actuation,
    /// The journal entry of a guard before this one.
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
    pub(super) identity: Arc<Identity>,
    pub(super) facts: Arc<Facts>,
    pub(super) driver: Arc<dyn Driver>,
    /// The settings in force.
    pub(super) live: Arc<Live>,
    pub(super) actuation: Actuation,
    pub(super) left: Option<Entry>,
    /// That entry couldn't be read yet.
    pub(super) unread: Option<Unread>,
    pub(super) may_write: bool,
    pub(super) gpu: Option<Box<dyn Gpu>>,
    pub(super) probes: Probes,
    pub(super) tried: Option<Moment>,
    pub(super) absence: Absence,
    pub(super) policy: Option<Policy>,
    pub(super) full_at: Option<Moment>,
    pub(super) failing_since: Option<Moment>,
    /// How often in a row the card was opened again because its core sensor only fails.
    pub(super) gave_up: u32,
    pub(super) energy: Energy,
    /// When the last tick in turn was.
    pub(super) beat: Option<Moment>,
    /// This tick is out of turn.
    pub(super) woken: bool,
    /// The applications have answered their health URLs since they last got a mode.
    pub(super) apps_well: bool,
    pub(super) last: Option<(Moment, Decision)>,
    pub(super) last_success: Option<Duration>,
    pub(super) changed: Duration,
    /// The guard has let go of the card since the last tick.
    pub(super) was_away: bool,
    /// The views show the GPU as detached.
    pub(super) let_go: bool,
    /// The trips that were logged because they are lower than configured.
    pub(super) lowered: Option<Trips>,
    pub(super) counters: Counters,
    /// The outcomes since the last tick, without the writes, which the actuation has.
    pub(super) outcomes: Outcomes,
    pub(super) watch: Watch,
    /// How well the card is cooled, and what throttles cost.
    pub(super) cooling: Cooling,
    /// What earlier workers learned of it was taken up.
    pub(super) cooling_recalled: bool,
    pub(super) ledger: Ledger,
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
            actuation: setup.actuation,
            left: setup.left,
            unread: None,
            may_write: setup.may_write,
            gpu: None,
            probes,
            tried: None,
            absence: Absence::default(),
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
            was_away: false,
            let_go: false,
            lowered: None,
            counters: Counters::default(),
            outcomes: Outcomes::default(),
            watch: Watch::default(),
            cooling: Cooling::default(),
            cooling_recalled: false,
            ledger: Ledger::default(),
        }
    }

    /// The journal entry of a guard before this one will be known later.
    pub(crate) fn take_up_later(&mut self, unread: Unread) {
        self.unread = Some(unread);
    }

    /// Continues the counters of the worker before.
    pub fn count_on(&mut self, counters: Counters) {
        self.counters = counters;
    }

    /// The configuration no longer names this GPU, and the guard holds nothing on it.
    pub fn is_retired(&self) -> bool {
        // Of a card that is gone, nothing can be set.
        let idle = self.gpu.is_none()
            || self
                .last
                .is_none_or(|(_, decision)| decision.targets == Targets::default());
        let nothing_left =
            self.left.is_none() && self.unread.is_none() && self.actuation.claim().is_empty();
        !self.live.selects(&self.identity) && nothing_left && idle
    }

    pub(super) fn keep_beat(&mut self, now: Moment) {
        let half = self.live.poll_interval / 2;
        self.woken = self.beat.is_some_and(|at| now.since(at) < half);
        if !self.woken {
            self.beat = Some(now);
        }
    }

    /// Reloaded settings are in force from this tick on.
    pub(super) fn follow(&mut self, shared: &Shared) {
        let live = shared.live();
        if Arc::ptr_eq(&live, &self.live) {
            return;
        }
        self.actuation.set_restore_clock(live.restore_clock);
        if let Some(policy) = &mut self.policy {
            policy.reconfigure(live.settings.clone(), &self.facts);
        }
        self.live = live;
        self.probes.choose(&self.live.sensors, &self.identity);
    }
}
