//! Carries out a decision: journal, write, read back. Writes only what changed.
//!
//! The outcome of each write is in the tick, by knob, so that the policy can plan with the knobs that
//! work.

use std::time::Duration;

use crate::device::{ByClock, ByKnob, ClockRange, Facts, Gpu, Identity, Knob, Reading, Uuid};
use crate::policy::{Claim, Targets, Write};
use crate::units::{Moment, Watts};

use super::journal::{Journal, Reason, boot_id};
use crate::guard::actuate::memory::{FanMemory, LimitMemory, LockMemory};
use crate::guard::actuate::tries::{Backoff, Tries};
use crate::guard::outcomes::{Action, ActionResult, Outcomes};
use crate::guard::tick::Permission;

/// The writes to one GPU: its claim, its journal, and the memory of each knob.
pub struct Actuation {
    pub(super) uuid: Uuid,
    /// For the log. Known once the card is open; it may change.
    pub(super) index: Option<u32>,
    pub(super) boot_id: String,
    pub(super) journal: Journal,
    pub(super) claim: Claim,
    /// Why the claim is held, and since when, for the next reader of the journal.
    pub(super) reason: Reason,
    pub(super) since: Option<Duration>,
    pub(super) limit: LimitMemory,
    pub(super) locks: ByClock<LockMemory>,
    pub(super) fans: FanMemory,
    /// The GPU can be read and is under alert: a lock on it may be loosened.
    pub(super) may_loosen: bool,
    /// An operator's own SM clock lock: set it instead of a reset.
    pub(super) restore_clock: Option<ClockRange>,
    pub(super) permission: Permission,
    pub(super) journal_failing: bool,
    pub(super) energy_millijoules: Option<u64>,
    /// The outcomes since the last tick ended.
    pub(super) outcomes: Outcomes,
    pub(super) now: Moment,
}

impl Actuation {
    pub fn new(uuid: Uuid, journal: Journal) -> Self {
        Self {
            uuid,
            index: None,
            boot_id: boot_id(),
            journal,
            claim: Claim::default(),
            reason: Reason::default(),
            since: None,
            limit: LimitMemory::default(),
            locks: ByClock::default(),
            fans: FanMemory::default(),
            may_loosen: true,
            restore_clock: None,
            permission: Permission::Unproven,
            journal_failing: false,
            energy_millijoules: None,
            outcomes: Outcomes::default(),
            now: Moment::START,
        }
    }

    /// The outcomes since the last call. The last writes stay, for the policy's next decision.
    pub fn take_outcomes(&mut self) -> Outcomes {
        let writes = self.outcomes.writes;
        let kept = Outcomes {
            writes,
            ..Outcomes::default()
        };
        std::mem::replace(&mut self.outcomes, kept)
    }

    pub(super) fn count(&mut self, action: Action, result: ActionResult) {
        self.outcomes.actions.push((action, result));
    }

    pub(super) fn tries(&mut self, knob: Knob) -> &mut Tries {
        match (knob, knob.clock()) {
            (_, Some(domain)) => &mut self.locks[domain].tries,
            (Knob::Fan, None) => &mut self.fans.tries,
            (_, None) => &mut self.limit.tries,
        }
    }

    /// The tries of all knobs.
    pub(super) fn all_tries(&self) -> impl Iterator<Item = &Tries> {
        let locks = self.locks.iter().map(|(_, lock)| &lock.tries);
        [&self.limit.tries, &self.fans.tries]
            .into_iter()
            .chain(locks)
    }

    pub(super) fn forget_backoff(&mut self) {
        for knob in Knob::ALL {
            self.tries(knob).backoff = Backoff::default();
        }
    }

    /// No lock and no fan is confirmed any more.
    pub(super) fn doubt_locks(&mut self) {
        self.fans.confirmed = false;
        for (_, lock) in self.locks.iter_mut() {
            lock.confirmed = false;
        }
    }

    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Since when the claim is held, since the Unix epoch.
    pub const fn since(&self) -> Option<Duration> {
        self.since
    }

    /// Why the claim is held.
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    pub const fn permission(&self) -> Permission {
        self.permission
    }

    /// The last known limit on the card.
    pub const fn last_limit(&self) -> Option<Watts> {
        self.limit.last
    }

    pub const fn confirmed(&self) -> bool {
        self.limit.confirmed
    }

    /// The card stored this limit for the guard not long ago.
    pub fn has_set_lately(&self, limit: Watts) -> bool {
        self.limit.has_set_lately(limit, self.now)
    }

    /// The last tick's writes.
    pub const fn writes(&self) -> &ByKnob<Option<Write>> {
        &self.outcomes.writes
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
        self.limit.range = facts.power;
        self.fans.count = facts.fans;
        self.fans.highest = facts.fan_highest;
    }

    /// The clock runs above its lock, or a fan is slow: set it again, even if it was confirmed.
    pub fn renew(&mut self, knob: Knob) {
        if let Some(domain) = knob.clock() {
            self.locks[domain].confirmed = false;
        } else if knob == Knob::Fan {
            self.fans.confirmed = false;
        }
    }

    /// Gives everything back at once: on leaving, if the GPU is safe.
    pub fn give_back(&mut self, gpu: &mut dyn Gpu, reading: &Reading) {
        self.now = reading.at;
        if let (Some(ours), Ok(current), true) =
            (self.claim.limit, reading.limit, self.limit.confirmed)
            && !ours.owns(current)
            && !self.has_set_lately(current)
        {
            tracing::warn!(gpu = self.index, uuid = %self.uuid, limit = %current, "somebody else has just changed the limit: it stays as they set it");
            let claim = Claim {
                limit: None,
                ..self.claim
            };
            self.reclaim(claim);
        }
        self.forget_backoff();
        self.apply(gpu, &Targets::default(), reading);
    }

    pub(crate) const fn index(&self) -> Option<u32> {
        self.index
    }

    /// The card was opened again: its locks may be gone, and another driver may allow other things.
    pub fn reopened(&mut self, identity: &Identity) {
        self.index = Some(identity.index);
        // It may be the old driver's. With a new claim it would make the journal void.
        self.energy_millijoules = None;
        self.doubt_locks();
        self.limit.stored = None;
        self.outcomes.writes = ByKnob::default();
        for knob in Knob::ALL {
            self.tries(knob).reopened();
        }
    }

    /// A reading of a card that was lost right after it: what somebody set meanwhile is the last known
    /// limit all the same.
    pub(crate) fn note_limit(&mut self, reading: &Reading) {
        self.limit.last = reading.limit.ok().or(self.limit.last);
    }

    /// Brings the GPU to `targets`.
    pub fn apply(&mut self, gpu: &mut dyn Gpu, targets: &Targets, reading: &Reading) {
        self.energy_millijoules = reading.slow.energy_millijoules.or(self.energy_millijoules);
        let passed = reading.at.since(self.now);
        self.now = reading.at;
        self.outcomes.writes = ByKnob::default();
        if self.journal_failing {
            // The claim that the disk refused isn't on it: after a crash now nothing would give it back.
            self.put_on_disk(self.claim);
        }
        if let Ok(current) = reading.limit {
            self.limit.last = Some(current);
            self.shows_again(current);
            self.apply_limit(gpu, targets.limit, current);
        } else {
            self.limit.keep_for(passed);
            if let Ok(enforced) = reading.enforced_limit {
                self.limit.note_enforced(enforced, self.now);
            }
            // The enforced limit is at most the requested one, as a BMC may hold it lower. If it is
            // higher than the last known limit, somebody has raised that. Beyond the card's range it is
            // an odd answer.
            let most = self.limit.range.map(|range| range.max);
            let enforced = reading.enforced_limit.ok();
            let enforced = enforced.filter(|it| most.is_none_or(|most| *it <= most));
            self.limit.last = enforced.max(self.limit.last);
            self.apply_unseen_limit(gpu, targets.limit);
            self.end_unseen_claim(targets.limit, reading);
        }
        for (domain, target) in targets.locks.iter() {
            self.apply_clock(gpu, domain, *target);
        }
        self.apply_fans(gpu, targets.fans);
        self.watch_returned(reading);
        if self.limit.confirmed && self.limit.confirmed_unjournaled {
            self.limit.confirmed_unjournaled = false;
            self.journal.record_later(self.entry(self.claim));
        }
    }
}
