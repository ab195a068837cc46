//! Carrying a decision out: journal, write, read back. Only what changed is written.
//!
//! What came of each write is in the tick, by knob: the policy plans with the knobs that work.

mod clock;
mod limit;
mod outcomes;

use std::collections::VecDeque;
use std::time::Duration;

use crate::device::{
    ByKnob, ClockRange, Facts, Gpu, Identity, Knob, PowerConstraints, Reading, Uuid,
};
use crate::policy::{Claim, LimitClaim, Targets, Write};
use crate::units::{Moment, Watts};

use super::clock::Clock;
use super::domain::Domain;
use super::journal::{Entry, Journal, Reason, boot_id};
use super::tally::{Action, ActionResult, Tally};
use super::tick::Permission;
pub use limit::OutOfReach;
use outcomes::Backoff;

/// The writing hand on one GPU: what is claimed, and the journal that says so.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the card or the disk by itself, and all ways occur"
)]
pub struct Hand {
    uuid: Uuid,
    /// For the log; known once the card is open, and it may move.
    index: Option<u32>,
    boot_id: String,
    journal: Journal,
    claim: Claim,
    /// Why the claim holds, and since when, for whoever finds the journal.
    reason: Reason,
    since: Option<Duration>,
    /// By [`Domain`], the slowest lock that may be on the card: what must not be loosened unseen.
    locked: [Option<ClockRange>; 2],
    /// What of that the journal holds.
    journaled_locks: [Option<ClockRange>; 2],
    /// Whether it is there for certain, and needn't be written again.
    certain: [bool; 2],
    /// The GPU is seen, and under alert: what holds it may be loosened.
    may_loosen: bool,
    /// An operator's own SM lock, to be set instead of a reset.
    restore_clock: Option<ClockRange>,
    permission: Permission,
    /// The range of limits that the card tells.
    range: Option<PowerConstraints>,
    /// The limit on the card when it was last known: read, or written since.
    last_limit: Option<Watts>,
    /// What the card stored for the last limit asked of it: it may round or clamp.
    stored: Option<Stored>,
    /// How much less than asked it was seen to store.
    rounds_by: Watts,
    /// The last limit that was given back, and when: a card may forget that, too.
    returned: Option<(LimitClaim, Moment)>,
    /// The last original limit that the card couldn't store exactly, and what it has instead.
    rounded: Option<(Watts, Watts)>,
    /// What it stored lately, newest first.
    set_lately: VecDeque<(Watts, Moment)>,
    /// The last limit written was read back.
    confirmed: bool,
    /// The disk knows that.
    confirmed_on_disk: bool,
    /// It took the last limit without setting it: then it may have done so with a lock, which can't
    /// be read back.
    ignores_writes: bool,
    journal_failing: bool,
    energy_millijoules: Option<u64>,
    /// The last outcome of each [`Action`].
    results: [ActionResult; Action::ALL.len()],
    /// Whether the last try of each was permitted.
    permitted: [Option<bool>; Action::ALL.len()],
    /// What came of this tick's writes.
    writes: ByKnob<Option<Write>>,
    /// What is given back in vain isn't tried on every tick.
    backoff: ByKnob<Backoff>,
    now: Moment,
}

/// A limit, and what the card made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    asked: Watts,
    made: Watts,
    /// It changed nothing, so often in a row; and when it was tried last.
    in_vain: u32,
    at: Moment,
}

/// What the journal holds against a write.
enum Direction {
    /// Goes ahead whatever the disk says.
    Protective,
    /// Waits until it is journaled.
    Raising,
}

impl Hand {
    pub fn new(uuid: Uuid, journal: Journal) -> Self {
        Self {
            uuid,
            index: None,
            boot_id: boot_id(),
            journal,
            claim: Claim::default(),
            reason: Reason::default(),
            since: None,
            locked: [None; 2],
            journaled_locks: [None; 2],
            certain: [false; 2],
            may_loosen: true,
            restore_clock: None,
            permission: Permission::Unproven,
            range: None,
            last_limit: None,
            stored: None,
            rounds_by: Watts::default(),
            returned: None,
            rounded: None,
            set_lately: VecDeque::new(),
            confirmed: false,
            confirmed_on_disk: true,
            ignores_writes: false,
            journal_failing: false,
            energy_millijoules: None,
            results: [ActionResult::Ok; Action::ALL.len()],
            permitted: [None; Action::ALL.len()],
            writes: ByKnob::default(),
            backoff: ByKnob::default(),
            now: Moment::START,
        }
    }

    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Since when it has held what it claims, since the Unix epoch.
    pub const fn since(&self) -> Option<Duration> {
        self.since
    }

    pub const fn permission(&self) -> Permission {
        self.permission
    }

    /// The limit on the card when it was last known.
    pub const fn last_limit(&self) -> Option<Watts> {
        self.last_limit
    }

    pub const fn confirmed(&self) -> bool {
        self.confirmed
    }

    /// The card stored this limit for us not long ago.
    pub fn has_set_lately(&self, limit: Watts) -> bool {
        let lately = |at: Moment| self.now.since(at) <= limit::FORGETS_WITHIN;
        let mut known = self.set_lately.iter();
        known.any(|(set, at)| *set == limit && lately(*at))
    }

    /// What came of the last tick's writes.
    pub const fn writes(&self) -> &ByKnob<Option<Write>> {
        &self.writes
    }

    pub fn set_restore_clock(&mut self, range: Option<ClockRange>) {
        self.restore_clock = range;
    }

    pub fn set_may_loosen(&mut self, may: bool) {
        self.may_loosen = may;
    }

    pub fn set_permission(&mut self, permission: Permission) {
        self.permission = permission;
    }

    pub fn set_range(&mut self, facts: &Facts) {
        self.range = facts.power;
    }

    /// Why what is claimed is held: into the journal with the next write, or at once where something
    /// is claimed already.
    pub fn set_reason(&mut self, reason: Reason, tally: &mut Tally) {
        if self.reason == reason {
            return;
        }
        self.reason = reason;
        if !self.claim.is_empty() {
            self.put_on_disk(self.claim, tally);
        }
    }

    /// The card goes against this lock: it is set again, whatever was known of it.
    pub fn renew(&mut self, knob: Knob) {
        if let Some(domain) = Domain::of(knob) {
            self.certain[domain as usize] = false;
        }
    }

    /// Goes on with what a guard before this one claimed. `seen`: the limit on the card can be read,
    /// and so compared. Unseen, it is known only if the guard before had read it back.
    pub fn adopt(&mut self, entry: &Entry, seen: bool) {
        self.claim = entry.claim;
        self.reason = entry.reason.clone();
        self.since = entry.since;
        self.confirmed = entry.claim.limit.is_some() && (seen || entry.confirmed);
        self.confirmed_on_disk = true;
        self.locked = entry.locked;
        self.journaled_locks = entry.locked;
        self.certain = [false; 2];
    }

    /// Nobody knows whether what is adopted next is on disk: it is written with the next tick.
    pub fn journal_anew(&mut self) {
        self.journal_failing = true;
    }

    /// Of what was adopted, only this is still ours.
    pub fn reclaim(&mut self, claim: Claim, tally: &mut Tally) {
        self.confirmed = claim.limit.is_some();
        self.record(claim, tally);
    }

    /// Puts everything back at once: on leaving, the GPU being safe.
    pub fn give_back(&mut self, gpu: &mut dyn Gpu, reading: &Reading, tally: &mut Tally) {
        if let (Some(ours), Ok(current), true) = (self.claim.limit, reading.limit, self.confirmed)
            && !ours.owns(current)
        {
            tracing::warn!(gpu = self.index, uuid = %self.uuid, limit = %current, "somebody else has just changed the limit: theirs stands");
            let claim = Claim {
                limit: None,
                ..self.claim
            };
            self.reclaim(claim, tally);
        }
        self.backoff = ByKnob::default();
        self.apply(gpu, &Targets::default(), reading, tally);
    }

    /// The driver was reloaded: what we had set is gone, and so is what was there before. As far as a
    /// counter can tell: until the GPU is seen cool, no looser lock than the last one is set.
    pub fn forget(&mut self, tally: &mut Tally) {
        self.certain = [false; 2];
        self.confirmed = false;
        self.record(Claim::default(), tally);
    }

    pub(super) const fn index(&self) -> Option<u32> {
        self.index
    }

    /// The card was opened anew: locks may be gone, and another driver may allow other things.
    pub fn reopened(&mut self, identity: &Identity) {
        self.index = Some(identity.index);
        // Of the old driver, perhaps: beside a new claim it would make the journal void.
        self.energy_millijoules = None;
        self.certain = [false; 2];
        self.results = [ActionResult::Ok; Action::ALL.len()];
        self.stored = None;
        self.writes = ByKnob::default();
        self.backoff = ByKnob::default();
    }

    /// Somebody else set this limit: it is what will be given back.
    pub fn adopt_foreign(&mut self, limit: Watts, tally: &mut Tally) {
        if let Some(ours) = self.claim.limit {
            let ours = LimitClaim {
                original: limit,
                ..ours
            };
            tally.foreign_limits += 1;
            self.record(
                Claim {
                    limit: Some(ours),
                    ..self.claim
                },
                tally,
            );
        }
    }

    /// Brings the GPU to `targets`.
    pub fn apply(
        &mut self,
        gpu: &mut dyn Gpu,
        targets: &Targets,
        reading: &Reading,
        tally: &mut Tally,
    ) {
        self.energy_millijoules = reading.slow.energy_millijoules.or(self.energy_millijoules);
        self.now = reading.at;
        self.writes = ByKnob::default();
        if self.journal_failing {
            // What the disk refused is not on it: a crash now would leave it for ever.
            self.put_on_disk(self.claim, tally);
        }
        if let Ok(current) = reading.limit {
            self.last_limit = Some(current);
            self.shows_again(current);
            self.apply_limit(gpu, targets.limit, current, tally);
        } else {
            // The limit in force is at most the one that was asked for: a BMC may hold it lower, and
            // where it is higher than the last one known, somebody raised that.
            self.last_limit = reading.enforced_limit.ok().max(self.last_limit);
            self.apply_unseen_limit(gpu, targets.limit, tally);
            self.end_unseen_claim(targets.limit, reading, tally);
        }
        self.apply_clock(gpu, Domain::Gpu, targets.gpu_clock, tally);
        self.apply_clock(gpu, Domain::Memory, targets.memory_clock, tally);
        self.look_after_returned(reading, tally);
        if self.confirmed && !self.confirmed_on_disk {
            self.confirmed_on_disk = true;
            self.journal.record_later(self.entry(self.claim));
        }
    }

    /// Claims `claim` on disk before the GPU is touched. False: the write has to wait.
    fn journal(&mut self, claim: Claim, direction: &Direction, tally: &mut Tally) -> bool {
        let written = self.record(claim, tally);
        written || matches!(direction, Direction::Protective)
    }

    /// What is claimed from here on, on disk if that answers.
    fn record(&mut self, claim: Claim, tally: &mut Tally) -> bool {
        let known = self.claim == claim && self.locked == self.journaled_locks;
        if known && !self.journal_failing {
            return true;
        }
        if claim.is_empty() {
            self.since = None;
        } else if self.claim.is_empty() {
            self.since = Some(Clock::unix());
        }
        self.put_on_disk(claim, tally)
    }

    fn put_on_disk(&mut self, claim: Claim, tally: &mut Tally) -> bool {
        self.claim = claim;
        self.journaled_locks = self.locked;
        let result = self.journal.record(self.entry(claim));
        let failing = result.is_err();
        if let Err(error) = result {
            tally.journal_failures += 1;
            if !self.journal_failing {
                tracing::error!(gpu = self.index, uuid = %self.uuid, %error, "journal not written: protective writes go ahead, raises wait; look at the disk and the owner of --state.dir");
            }
        } else if self.journal_failing {
            tracing::info!(gpu = self.index, uuid = %self.uuid, "journal written again");
        }
        self.journal_failing = failing;
        !failing
    }

    fn entry(&self, claim: Claim) -> Entry {
        Entry {
            uuid: self.uuid.clone(),
            claim,
            boot_id: self.boot_id.clone(),
            energy_millijoules: self.energy_millijoules,
            confirmed: self.confirmed_on_disk,
            locked: self.locked,
            reason: self.reason.clone(),
            since: self.since,
        }
    }
}
