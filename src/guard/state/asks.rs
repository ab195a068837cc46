//! What alerts, operators and the driver ask of the workers: leases, heartbeats, pauses, Xids.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::device::{CriticalError, Uuid};
use crate::policy::ask::lease::{self, Ended, Granted, Holder, Turn};
use crate::policy::{Asked, Chain, ChainState, Lease, LeaseTable, Level};
use crate::units::Moment;

/// What a worker takes into its tick.
#[derive(Debug)]
pub struct Inputs {
    pub asked: Asked,
    pub paused_until: Option<Moment>,
    pub fallback: bool,
    pub xids: Vec<u64>,
    /// What became of leases since the last tick.
    pub turns: Vec<(Holder, Level, Turn)>,
}

impl Shared {
    /// Hands a worker everything that was asked of its GPU; Xids and what became of leases only
    /// once.
    pub fn take_inputs(&self, uuid: &Uuid, wall: Moment) -> Inputs {
        let (chain, fault) = {
            let chain = self.chain.lock();
            (chain.state(wall), chain.fault(wall))
        };
        self.events.note_chain(wall, chain, fault);
        let (asked, turns) = {
            let mut leases = self.leases.lock();
            (leases.asked(wall, uuid), leases.take_turns(uuid))
        };
        Inputs {
            asked,
            turns,
            paused_until: self.paused_until(uuid, wall),
            fallback: chain.is_fallback(),
            xids: self.xids.lock().remove(uuid).unwrap_or_default(),
        }
    }

    /// A copy of the lease table. Leases that have expired since the GPU's last tick are still in it.
    pub fn leases(&self) -> LeaseTable {
        self.leases.lock().clone()
    }

    /// Grants or renews a lease. A renewal at the same level can wait for the worker's next tick.
    pub fn grant(&self, now: Moment, gpu: &Uuid, holder: Holder, lease: Lease) -> Granted {
        let (granted, before) = {
            let mut leases = self.leases.lock();
            let before = leases.of(gpu).find(|(held, _)| *held == holder);
            let before = before.map(|(_, lease)| lease.level);
            (leases.grant(now, gpu, holder, lease), before)
        };
        match granted {
            Granted::Refused => {}
            Granted::Renewed if before == Some(lease.level) => {}
            Granted::New | Granted::Renewed => self.wake(gpu),
        }
        granted
    }

    /// Ends a lease, unless the message is older than the lease's own start.
    pub fn resolve(&self, gpu: &Uuid, holder: Holder, starts_at: Duration) -> Ended {
        let now = self.clock.wall();
        let ended = self.leases.lock().resolve(now, gpu, holder, starts_at);
        self.wake_if(ended, gpu)
    }

    /// Ends a lease that is still `as_it_was`. One that was renewed meanwhile goes on.
    pub fn resolve_unchanged(&self, gpu: &Uuid, holder: Holder, as_it_was: &Lease) -> Ended {
        let now = self.clock.wall();
        let ended = {
            let mut leases = self.leases.lock();
            let is_same = leases.of(gpu).any(|held| held == (holder, as_it_was));
            if is_same {
                leases.resolve(now, gpu, holder, as_it_was.starts_at)
            } else {
                Ended::Unknown
            }
        };
        self.wake_if(ended, gpu)
    }

    fn wake_if(&self, ended: Ended, gpu: &Uuid) -> Ended {
        if ended == Ended::Released {
            self.wake(gpu);
        }
        ended
    }

    /// An operator asks for `level` for a while. Never refused: an operator's lease has room of its
    /// own.
    pub fn throttle(&self, gpu: &Uuid, level: Level, period: Duration) {
        let now = self.clock.wall();
        let lease = Lease {
            level,
            since: now,
            expires: now + period,
            starts_at: Duration::ZERO,
        };
        self.grant(now, gpu, Holder::Manual, lease);
        self.remember();
    }

    /// Ends an operator's lease. False: there was none.
    pub fn release(&self, gpu: &Uuid) -> bool {
        let ended = self.resolve(gpu, Holder::Manual, Duration::MAX);
        self.remember();
        ended == Ended::Released
    }

    /// Keeps the name of the alert behind a lease, for people. The sender chose it: it is shown, and
    /// used for nothing else.
    pub fn name_alert(&self, fingerprint: u64, name: &str) {
        /// Of a name, characters.
        const SHOWN: usize = 64;
        let mut names = self.alert_names.lock();
        let leases = self.leases.lock();
        // Not for each new alert of a full table: this searches all leases for each name.
        if names.len() >= 2 * leases.count().max(lease::CAPACITY) {
            names.retain(|fingerprint, _| leases.holds(*fingerprint));
        }
        drop(leases);
        let name = name.chars().filter(|c| !c.is_control()).take(SHOWN);
        names.insert(fingerprint, name.collect::<String>().into());
    }

    pub fn alert_name(&self, fingerprint: u64) -> Option<Arc<str>> {
        let names = self.alert_names.lock();
        names.get(&fingerprint).filter(|it| !it.is_empty()).cloned()
    }

    /// The name of the alert that holds a lease.
    pub fn alert_behind(&self, holder: Holder) -> Option<Arc<str>> {
        match holder {
            Holder::Alert(fingerprint) => self.alert_name(fingerprint),
            Holder::Manual => None,
        }
    }

    /// A heartbeat fired: one of several, each known by its alert's fingerprint.
    pub fn heartbeat(&self, now: Moment, fingerprint: u64, eval_ts: Option<f64>) {
        self.chain.lock().heartbeat_of(fingerprint, now, eval_ts);
    }

    /// A heartbeat was resolved.
    pub fn heartbeat_resolved(&self, now: Moment, fingerprint: u64) {
        self.chain.lock().resolved_of(fingerprint, now);
    }

    /// A copy of the alert chain's state.
    pub fn chain(&self) -> Chain {
        self.chain.lock().clone()
    }

    pub fn chain_state(&self) -> ChainState {
        self.chain.lock().state(self.clock.wall())
    }

    /// Leases and gradual are ignored on `uuid` until `until`, on the wall's clock.
    pub fn pause(&self, uuid: &Uuid, until: Moment) {
        self.pauses.lock().insert(uuid.clone(), until);
        self.remember();
        self.wake(uuid);
    }

    /// Ends a pause. False: there was none.
    pub fn resume(&self, uuid: &Uuid) -> bool {
        let paused = self.pauses.lock().remove(uuid).is_some();
        self.remember();
        self.wake(uuid);
        paused
    }

    /// Each paused GPU, and until when.
    pub fn pauses(&self) -> Vec<(Uuid, Moment)> {
        let pauses = self.pauses.lock();
        let all = pauses.iter().map(|(uuid, until)| (uuid.clone(), *until));
        all.collect()
    }

    /// Until when an operator's pause lasts.
    pub fn paused_until(&self, uuid: &Uuid, wall: Moment) -> Option<Moment> {
        let mut pauses = self.pauses.lock();
        pauses.retain(|_, until| wall < *until);
        pauses.get(uuid).copied()
    }

    /// Keeps a critical error (`CriticalError`) for the worker's next tick.
    pub fn report_xid(&self, xid: &CriticalError) {
        /// Between two ticks; more Xids of a dying card say nothing more.
        const KEPT: usize = 64;
        let mut xids = self.xids.lock();
        let pending = xids.entry(xid.uuid.clone()).or_default();
        if pending.len() < KEPT {
            pending.push(xid.code);
        }
    }
}
