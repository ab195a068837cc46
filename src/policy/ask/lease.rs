//! Leases: temporary requests of alerts and operators.
//!
//! A firing alert isn't a command but a lease with a time to live, which the sender must renew: a
//! `resolved` can be lost, and a sender can die. The key is the GPU and the alert's fingerprint, so
//! the same alert twice is one lease. A lease can only ask for more throttling. The policy decides
//! what is done.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::device::Uuid;
use crate::policy::state::Level;
use crate::units::Moment;

/// The most leases of alerts on one GPU. Each GPU has its own room, so a flood of alerts about one
/// GPU doesn't push out another's lease. An operator's lease always has room.
pub const CAPACITY: usize = 256;

/// The holder of a lease.
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
    /// The alert's own start, since the Unix epoch. It distinguishes a late `resolved` from the
    /// right one.
    pub starts_at: Duration,
}

/// The result of a firing alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    New,
    Renewed,
    /// The GPU's room is full of leases of this level or a higher one.
    Refused,
}

/// The result of a resolved alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Released,
    /// The alert was resolved before this firing began: a late message.
    Stale,
    /// There was no lease.
    Unknown,
}

/// The levels that the live leases on one GPU ask for, by kind of holder.
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

/// How many leases ended, by how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Endings {
    pub expired: u64,
    pub resolved: u64,
    pub evicted: u64,
}

/// A change of a lease.
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
    gpus: BTreeMap<Uuid, Leases>,
    endings: Endings,
}

/// The leases of one GPU.
#[derive(Clone, Debug, Default)]
struct Leases {
    held: BTreeMap<Holder, Lease>,
    /// The changes since they were last taken. If there are too many, the oldest are dropped.
    turns: VecDeque<(Holder, Level, Turn)>,
}

impl LeaseTable {
    /// Grants or renews a lease. A firing alert is never too old: a genuine one can have an old
    /// start.
    pub fn grant(&mut self, now: Moment, gpu: &Uuid, holder: Holder, lease: Lease) -> Granted {
        self.expire_on(now, gpu);
        let leases = self.gpus.entry(gpu.clone()).or_default();
        if let Some(held) = leases.held.get_mut(&holder) {
            let changed = held.level != lease.level;
            *held = Lease {
                since: held.since,
                starts_at: held.starts_at.max(lease.starts_at),
                ..lease
            };
            if changed {
                leases.turn(holder, lease.level, Turn::Changed);
            }
            return Granted::Renewed;
        }
        if !leases.has_room(holder) {
            if !leases.evict_below(lease.level) {
                return Granted::Refused;
            }
            self.endings.evicted += 1;
        }
        leases.held.insert(holder, lease);
        leases.turn(holder, lease.level, Turn::Began);
        Granted::New
    }

    /// Ends an alert's lease, unless the message is older than the lease's own start. One that has expired
    /// has ended already.
    pub fn resolve(
        &mut self,
        now: Moment,
        gpu: &Uuid,
        holder: Holder,
        starts_at: Duration,
    ) -> Ended {
        self.expire_on(now, gpu);
        let Some(leases) = self.gpus.get_mut(gpu) else {
            return Ended::Unknown;
        };
        match leases.held.get(&holder) {
            None => Ended::Unknown,
            Some(lease) if starts_at < lease.starts_at => Ended::Stale,
            Some(_) => {
                leases.end(holder, Turn::Resolved);
                self.endings.resolved += 1;
                Ended::Released
            }
        }
    }

    /// What live leases ask of `gpu` now.
    pub fn asked(&mut self, now: Moment, gpu: &Uuid) -> Asked {
        self.expire_on(now, gpu);
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

    /// Operators' leases, on all GPUs.
    pub fn manual(&self) -> Vec<(Uuid, Lease)> {
        let leases = self.gpus.iter();
        let manual = leases.filter_map(|(uuid, leases)| {
            let lease = leases.held.get(&Holder::Manual)?;
            Some((uuid.clone(), *lease))
        });
        manual.collect()
    }

    /// The leases on one GPU.
    pub fn of(&self, gpu: &Uuid) -> impl Iterator<Item = (Holder, &Lease)> + use<'_> {
        let held = self.gpus.get(gpu).into_iter();
        held.flat_map(|leases| leases.held.iter().map(|(holder, lease)| (*holder, lease)))
    }

    /// The number of leases on all GPUs.
    pub fn count(&self) -> usize {
        self.gpus.values().map(|leases| leases.held.len()).sum()
    }

    /// Whether this alert has a lease on any GPU.
    pub fn holds(&self, fingerprint: u64) -> bool {
        let alert = Holder::Alert(fingerprint);
        self.gpus
            .values()
            .any(|leases| leases.held.contains_key(&alert))
    }

    pub const fn endings(&self) -> Endings {
        self.endings
    }

    pub fn expire(&mut self, now: Moment) {
        for leases in self.gpus.values_mut() {
            self.endings.expired += leases.expire(now);
        }
    }

    fn expire_on(&mut self, now: Moment, gpu: &Uuid) {
        if let Some(leases) = self.gpus.get_mut(gpu) {
            self.endings.expired += leases.expire(now);
        }
    }

    /// The changes of the leases on `gpu` since the last call.
    pub fn take_turns(&mut self, gpu: &Uuid) -> Vec<(Holder, Level, Turn)> {
        let leases = self.gpus.get_mut(gpu);
        let turns = leases.map(|leases| std::mem::take(&mut leases.turns));
        turns.unwrap_or_default().into()
    }
}

impl Leases {
    fn has_room(&self, holder: Holder) -> bool {
        let manual = usize::from(self.held.contains_key(&Holder::Manual));
        holder == Holder::Manual || self.held.len() - manual < CAPACITY
    }

    /// Removes the first to expire of the alerts' leases that ask for less.
    fn evict_below(&mut self, level: Level) -> bool {
        let alerts = self.held.iter().filter(|(by, _)| **by != Holder::Manual);
        let lower = alerts.filter(|(_, lease)| lease.level < level);
        let first = lower.min_by_key(|(_, lease)| (lease.level, lease.expires));
        let Some(holder) = first.map(|(holder, _)| *holder) else {
            return false;
        };
        self.end(holder, Turn::Evicted);
        true
    }

    fn expire(&mut self, now: Moment) -> u64 {
        let over = self.held.iter().filter(|(_, lease)| now >= lease.expires);
        let over: Vec<_> = over.map(|(holder, _)| *holder).collect();
        let mut count = 0;
        for holder in over {
            self.end(holder, Turn::Expired);
            count += 1;
        }
        count
    }

    fn end(&mut self, holder: Holder, turn: Turn) {
        if let Some(lease) = self.held.remove(&holder) {
            self.turn(holder, lease.level, turn);
        }
    }

    fn turn(&mut self, holder: Holder, level: Level, turn: Turn) {
        if self.turns.len() >= CAPACITY {
            self.turns.pop_front();
        }
        self.turns.push_back((holder, level, turn));
    }
}

#[cfg(test)]
mod tests;
