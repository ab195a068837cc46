//! Leases: what alerts and operators ask for, for a while.
//!
//! A firing alert is not a command but a lease with a time to live, kept by renewal: `resolved` can
//! be lost, and a sender can die. Keyed by GPU and alert fingerprint, so that the same alert twice
//! is one lease. Leases only ever ask for more; what is done is the policy's business.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::device::Uuid;
use crate::units::Moment;

use super::state::Level;

/// All leases of the node. An evicted one is of the lowest level, never an emergency.
pub const CAPACITY: usize = 256;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// Alertmanager's fingerprint: a hash of the alert's labels.
    Alert(u64),
    /// An operator through the API; one lease per GPU.
    Manual,
}

/// One lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub level: Level,
    pub since: Moment,
    pub expires: Moment,
    /// The alert's own start, since the Unix epoch: tells an old `resolved` from the right one.
    pub starts_at: Duration,
}

/// What came of a firing alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    New,
    Renewed,
    /// No room and nothing lower to evict.
    Refused,
}

/// What came of a resolved alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Released,
    /// Resolved before this firing began: a late message.
    Stale,
    /// Nothing was held.
    Unknown,
}

/// What the live leases on one GPU ask for, by who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Asked {
    pub alert: Level,
    pub manual: Level,
}

impl Asked {
    pub fn level(self) -> Level {
        self.alert.max(self.manual)
    }
}

/// How leases ended, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Endings {
    pub expired: u64,
    pub resolved: u64,
    pub evicted: u64,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Began,
    /// Renewed at another level.
    Changed,
    Expired,
    /// Resolved, or released by an operator.
    Resolved,
    Evicted,
}

impl Turn {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Began => "began",
            Self::Changed => "changed",
            Self::Expired => "expired",
            Self::Resolved => "ended",
            Self::Evicted => "evicted",
        }
    }
}

/// The leases of all GPUs.
#[derive(Clone, Debug, Default)]
pub struct LeaseTable {
    leases: BTreeMap<(Uuid, Holder), Lease>,
    endings: Endings,
    /// Since they were last taken; of too many, the oldest are forgotten.
    turns: VecDeque<(Uuid, Holder, Level, Turn)>,
}

impl LeaseTable {
    /// Grants or renews. A firing alert is never too old: a genuine one can carry an old start.
    pub fn grant(&mut self, now: Moment, gpu: &Uuid, holder: Holder, lease: Lease) -> Granted {
        self.expire(now);
        let key = (gpu.clone(), holder);
        if let Some(held) = self.leases.get_mut(&key) {
            let changed = held.level != lease.level;
            *held = Lease {
                since: held.since,
                starts_at: held.starts_at.max(lease.starts_at),
                ..lease
            };
            if changed {
                self.turn(key, lease.level, Turn::Changed);
            }
            return Granted::Renewed;
        }
        if self.leases.len() >= CAPACITY && !self.evict_below(lease.level) {
            return Granted::Refused;
        }
        self.leases.insert(key.clone(), lease);
        self.turn(key, lease.level, Turn::Began);
        Granted::New
    }

    /// Ends an alert's lease, unless the message is older than the lease's own start.
    pub fn resolve(&mut self, gpu: &Uuid, holder: Holder, starts_at: Duration) -> Ended {
        let key = (gpu.clone(), holder);
        match self.leases.get(&key) {
            None => Ended::Unknown,
            Some(lease) if starts_at < lease.starts_at => Ended::Stale,
            Some(lease) => {
                let level = lease.level;
                self.leases.remove(&key);
                self.endings.resolved += 1;
                self.turn(key, level, Turn::Resolved);
                Ended::Released
            }
        }
    }

    /// What is asked of `gpu` now.
    pub fn asked(&mut self, now: Moment, gpu: &Uuid) -> Asked {
        self.expire(now);
        let mut asked = Asked::default();
        for (holder, lease) in self.of(gpu) {
            let level = match holder {
                Holder::Alert(_) => &mut asked.alert,
                Holder::Manual => &mut asked.manual,
            };
            *level = lease.level.max(*level);
        }
        asked
    }

    /// The leases on one GPU.
    pub fn of<'a>(&'a self, gpu: &'a Uuid) -> impl Iterator<Item = (Holder, &'a Lease)> {
        let all = (gpu.clone(), Holder::Alert(0))..=(gpu.clone(), Holder::Manual);
        self.leases
            .range(all)
            .map(|((_, holder), lease)| (*holder, lease))
    }

    /// Whether this alert holds any GPU.
    pub fn holds(&self, fingerprint: u64) -> bool {
        let alert = Holder::Alert(fingerprint);
        self.leases.keys().any(|(_, holder)| *holder == alert)
    }

    pub const fn endings(&self) -> Endings {
        self.endings
    }

    pub fn expire(&mut self, now: Moment) {
        let is_over = |(_, lease): &(_, &Lease)| now >= lease.expires;
        let over = self.leases.iter().filter(is_over);
        let over: Vec<_> = over
            .map(|(key, lease)| (key.clone(), lease.level))
            .collect();
        for (key, level) in over {
            self.leases.remove(&key);
            self.endings.expired += 1;
            self.turn(key, level, Turn::Expired);
        }
    }

    /// What became of the leases on `gpu` since this was last asked.
    pub fn take_turns(&mut self, gpu: &Uuid) -> Vec<(Holder, Level, Turn)> {
        let all = std::mem::take(&mut self.turns);
        let (taken, left) = all.into_iter().partition::<Vec<_>, _>(|(of, ..)| of == gpu);
        self.turns = left.into();
        let taken = taken.into_iter();
        taken
            .map(|(_, holder, level, turn)| (holder, level, turn))
            .collect()
    }

    fn turn(&mut self, (gpu, holder): (Uuid, Holder), level: Level, turn: Turn) {
        if self.turns.len() >= CAPACITY {
            self.turns.pop_front();
        }
        self.turns.push_back((gpu, holder, level, turn));
    }

    fn evict_below(&mut self, level: Level) -> bool {
        let lowest = self
            .leases
            .iter()
            .min_by_key(|(_, lease)| (lease.level, lease.expires));
        let Some((key, lease)) = lowest.map(|(key, lease)| (key.clone(), *lease)) else {
            return false;
        };
        if lease.level == Level::Emergency || lease.level > level {
            return false;
        }
        self.leases.remove(&key);
        self.endings.evicted += 1;
        self.turn(key, lease.level, Turn::Evicted);
        true
    }
}

#[cfg(test)]
mod tests;
