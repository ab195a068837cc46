//! The claim on a GPU, in memory and in the journal.

use crate::clock::Clock;
use crate::device::{ByClock, ClockRange};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::journal::{Entry, Reason, Written};
use crate::policy::{Claim, LimitClaim};
use crate::units::Watts;

/// Whether a write must wait for the journal.
pub(super) enum Direction {
    /// Goes ahead even if the disk fails.
    Protective,
    /// Waits until it is journaled.
    Raising,
}

impl Actuation {
    /// Sets why the claim is held. It gets into the journal with the next write, or at once if there is
    /// a claim already.
    pub fn set_reason(&mut self, reason: Reason) {
        if self.reason == reason {
            return;
        }
        self.reason = reason;
        if !self.claim.is_empty() {
            self.put_on_disk(self.claim);
        }
    }

    /// Continues with the claim of a guard before this one. `seen`: the limit on the card can be read
    /// and compared. Otherwise it is confirmed only if that guard had read it back.
    pub fn adopt(&mut self, entry: &Entry, seen: bool) {
        self.claim = entry.claim;
        self.reason = entry.reason.clone();
        self.since = entry.since;
        self.limit.confirmed = entry.claim.limit.is_some() && (seen || entry.confirmed);
        self.limit.confirmed_unjournaled = false;
        for (domain, lock) in self.locks.iter_mut() {
            lock.range = entry.locks[domain];
            lock.journaled = entry.locks[domain];
            lock.confirmed = false;
        }
        self.fans.confirmed = false;
    }

    /// The locks that a dead guard left on clocks other than `ours`.
    pub(super) fn know_locks(&mut self, ours: ByClock<bool>, left: &ByClock<Option<ClockRange>>) {
        for (domain, lock) in self.locks.iter_mut().filter(|(domain, _)| !ours[*domain]) {
            lock.range = left[domain];
        }
    }

    /// It isn't known whether the claim adopted next is on disk: the next tick writes it.
    pub fn rewrite_journal(&mut self) {
        self.journal_failing = true;
    }

    /// Whether the journal on disk says what the guard holds. Tries once more if it doesn't.
    pub fn is_journaled(&mut self) -> bool {
        self.record(self.claim)
    }

    /// Of the adopted claim, only this part still applies.
    pub fn reclaim(&mut self, claim: Claim) {
        self.limit.confirmed = claim.limit.is_some();
        self.record(claim);
    }

    /// The driver was reloaded: the guard's settings are gone, and so are the original ones. The energy
    /// counter may be wrong about that, so until the GPU is cool no lock is set that is looser than the
    /// last one.
    pub fn forget(&mut self) {
        self.doubt_locks();
        self.limit.confirmed = false;
        self.record(Claim::default());
    }

    /// Somebody else set this limit: this is the limit to give back.
    pub fn adopt_foreign(&mut self, limit: Watts) {
        if let Some(ours) = self.claim.limit {
            let ours = LimitClaim {
                original: limit,
                ..ours
            };
            self.outcomes.foreign_limit = true;
            self.record(Claim {
                limit: Some(ours),
                ..self.claim
            });
        }
    }

    /// Puts `claim` on disk before a write to the GPU. False: the write has to wait.
    pub(super) fn journal(&mut self, claim: Claim, direction: &Direction) -> bool {
        let written = self.record(claim);
        written || matches!(direction, Direction::Protective)
    }

    /// Sets the claim, in memory and, if the disk answers, in the journal. False: not on disk.
    pub(super) fn record(&mut self, claim: Claim) -> bool {
        let is_journaled = self.locks.iter().all(|(_, it)| it.range == it.journaled);
        if self.claim == claim && is_journaled && !self.journal_failing {
            return true;
        }
        if claim.is_empty() {
            self.since = None;
        } else if self.claim.is_empty() {
            self.since = Some(Clock::unix());
        }
        self.put_on_disk(claim)
    }

    pub(super) fn put_on_disk(&mut self, claim: Claim) -> bool {
        self.claim = claim;
        for (_, lock) in self.locks.iter_mut() {
            lock.journaled = lock.range;
        }
        let result = self.journal.record(self.entry(claim));
        let was_failing = self.journal_failing;
        self.journal_failing = !matches!(result, Ok(Written::InPlace));
        if self.journal_failing {
            self.outcomes.journal_failures += 1;
        }
        let (gpu, uuid) = (self.index, &self.uuid);
        match &result {
            Ok(Written::InPlace) if was_failing => {
                tracing::info!(gpu, %uuid, "journal written again");
            }
            Ok(Written::InSpare(error)) if !was_failing => {
                tracing::error!(gpu, %uuid, %error, "journal not written, and kept in --lock.dir instead, until a reboot; check the disk and the owner of --state.dir");
            }
            Err(error) if !was_failing => {
                tracing::error!(gpu, %uuid, %error, "journal not written: protective writes go ahead, raises wait; check the disk and the owner of --state.dir");
            }
            _ => {}
        }
        result.is_ok()
    }

    pub(super) fn entry(&self, claim: Claim) -> Entry {
        Entry {
            uuid: self.uuid.clone(),
            claim,
            boot_id: self.boot_id.clone(),
            energy_millijoules: self.energy_millijoules,
            confirmed: !self.limit.confirmed_unjournaled,
            locks: ByClock::of(|domain| self.locks[domain].range),
            reason: self.reason.clone(),
            since: self.since,
        }
    }
}
