//! Carrying a decision out: journal, write, read back. Only what changed is written.

mod clock;
mod permission;

use crate::device::{ActuatorError, ClockRange, Gpu, Identity, Reading, Uuid};
use crate::policy::{Claim, LimitClaim, Targets};
use crate::units::{Moment, Watts};

use super::domain::Domain;
use super::journal::{Entry, Journal, boot_id};
use super::tally::{Action, ActionResult, Tally};
use super::tick::Permission;

/// The writing hand on one GPU: what is claimed, and the journal that says so.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the card or the disk by itself, and all sixteen ways occur"
)]
pub struct Hand {
    uuid: Uuid,
    /// For the log; known once the card is open, and it may move.
    index: Option<u32>,
    boot_id: String,
    journal: Journal,
    claim: Claim,
    /// By [`Domain`], the slowest lock that may be on the card: what must not be loosened unseen.
    locked: [Option<ClockRange>; 2],
    /// Whether it is there for certain, and needn't be written again.
    certain: [bool; 2],
    /// The GPU is seen, and under alert: what holds it may be loosened.
    may_loosen: bool,
    /// An operator's own SM lock, to be set instead of a reset.
    restore_clock: Option<ClockRange>,
    permission: Permission,
    /// The limit on the card when it was last known: read, or written since.
    known: Option<Watts>,
    /// The last limit written was read back as written.
    confirmed: bool,
    /// It took the last limit without setting it: then it may have done so with a lock, which can't
    /// be read back.
    deaf: bool,
    journal_failing: bool,
    energy_millijoules: Option<u64>,
    /// The last outcome of each [`Action`].
    results: [ActionResult; Action::ALL.len()],
    /// Without permission, the next try of that [`Action`] waits: some drivers deny the limit and
    /// take the lock.
    denied_at: [Option<Moment>; Action::ALL.len()],
    /// Whether the last try of each was permitted.
    permitted: [Option<bool>; Action::ALL.len()],
    /// What the card called out of its range: that value is not tried again, others are.
    rejected_limit: Option<Watts>,
    rejected_locks: [Option<ClockRange>; 2],
    now: Moment,
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
            locked: [None; 2],
            certain: [false; 2],
            may_loosen: true,
            restore_clock: None,
            permission: Permission::Unproven,
            known: None,
            confirmed: false,
            deaf: false,
            journal_failing: false,
            energy_millijoules: None,
            results: [ActionResult::Ok; Action::ALL.len()],
            denied_at: [None; Action::ALL.len()],
            permitted: [None; Action::ALL.len()],
            rejected_limit: None,
            rejected_locks: [None; 2],
            now: Moment::START,
        }
    }

    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    pub const fn permission(&self) -> Permission {
        self.permission
    }

    pub const fn confirmed(&self) -> bool {
        self.confirmed
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

    /// Goes on with what a guard before this one claimed.
    pub fn adopt(&mut self, claim: Claim) {
        self.claim = claim;
        self.confirmed = claim.limit.is_some();
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
        self.denied_at = [None; Action::ALL.len()];
        self.rejected_limit = None;
        self.rejected_locks = [None; 2];
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
        if self.journal_failing {
            // What the disk refused is not on it: a crash now would leave it for ever.
            self.record(self.claim, tally);
        }
        match reading.limit {
            Ok(current) => {
                self.known = Some(current);
                self.apply_limit(gpu, targets.limit, current, tally);
            }
            Err(_) => self.apply_unseen_limit(gpu, targets.limit, tally),
        }
        self.apply_clock(gpu, Domain::Gpu, targets.gpu_clock, tally);
        self.apply_clock(gpu, Domain::Memory, targets.memory_clock, tally);
    }

    fn apply_limit(
        &mut self,
        gpu: &mut dyn Gpu,
        target: Option<Watts>,
        current: Watts,
        tally: &mut Tally,
    ) {
        let original = self.claim.limit.map(|ours| ours.original);
        let Some(wanted) = target.or(original) else {
            return;
        };
        let barred = self.is_barred(Action::PowerLimit) || self.rejected_limit == Some(wanted);
        if wanted != current && !barred {
            self.write_limit(gpu, current, wanted, tally);
        } else if wanted == current {
            self.confirmed |= self.claim.limit.is_some();
            self.deaf = false;
        }
        let given_back = target.is_none() && self.claim.limit.is_some();
        if given_back && gpu.power_limit().is_ok_and(|limit| Some(limit) == original) {
            self.confirmed = false;
            self.record(
                Claim {
                    limit: None,
                    ..self.claim
                },
                tally,
            );
        }
    }

    /// A card that tells nothing any more may still listen: what slows it down from the limit that
    /// was last known is tried, once.
    fn apply_unseen_limit(&mut self, gpu: &mut dyn Gpu, target: Option<Watts>, tally: &mut Tally) {
        let Some((wanted, known)) = target.zip(self.known) else {
            return;
        };
        let barred = self.is_barred(Action::PowerLimit) || self.rejected_limit == Some(wanted);
        if wanted < known && !barred {
            self.write_limit(gpu, known, wanted, tally);
        }
    }

    fn write_limit(&mut self, gpu: &mut dyn Gpu, from: Watts, to: Watts, tally: &mut Tally) {
        if !gpu.writes() {
            tally.act(Action::PowerLimit, ActionResult::Observed);
            return;
        }
        let before = self.claim;
        let mut claim = self.claim;
        claim.writing(from, to);
        let direction = if to < from {
            Direction::Protective
        } else {
            Direction::Raising
        };
        if !self.journal(claim, &direction, tally) {
            self.claim = before;
            tally.act(Action::PowerLimit, ActionResult::Unjournaled);
            return;
        }
        let written = gpu.set_power_limit(to);
        self.known = written.is_ok().then_some(to).or(self.known);
        let was_confirmed = std::mem::replace(&mut self.confirmed, false);
        let result = match written {
            Ok(()) if gpu.power_limit() == Ok(to) => {
                self.confirmed = true;
                ActionResult::Ok
            }
            Ok(()) => ActionResult::NotTaken,
            Err(error) => {
                // Refused, the card is as it was: what somebody else sets now is known as theirs.
                self.confirmed = was_confirmed && error.is_refusal();
                self.rejected_limit = (error == ActuatorError::OutOfRange).then_some(to);
                self.refused(error, before, tally);
                error.into()
            }
        };
        self.deaf = result == ActionResult::NotTaken;
        if result == ActionResult::Ok {
            let (watts, was) = (to.as_f64(), from.as_f64());
            tracing::info!(gpu = self.index, uuid = %self.uuid, watts, was, "power limit set");
        }
        self.done(Action::PowerLimit, result, tally);
    }

    /// Claims `claim` on disk before the GPU is touched. False: the write has to wait.
    fn journal(&mut self, claim: Claim, direction: &Direction, tally: &mut Tally) -> bool {
        let written = self.record(claim, tally);
        written || matches!(direction, Direction::Protective)
    }

    /// What is claimed from here on, on disk if that answers.
    fn record(&mut self, claim: Claim, tally: &mut Tally) -> bool {
        let previous = std::mem::replace(&mut self.claim, claim);
        if previous == claim && !self.journal_failing {
            return true;
        }
        let entry = Entry {
            uuid: self.uuid.clone(),
            claim,
            boot_id: self.boot_id.clone(),
            energy_millijoules: self.energy_millijoules,
        };
        let result = self.journal.record(entry);
        let failing = result.is_err();
        if let Err(error) = result {
            tally.journal_failures += 1;
            if !self.journal_failing {
                tracing::error!(gpu = self.index, uuid = %self.uuid, %error, "journal not written: protective writes go ahead, raises wait");
            }
        } else if self.journal_failing {
            tracing::info!(gpu = self.index, uuid = %self.uuid, "journal written again");
        }
        self.journal_failing = failing;
        !failing
    }
}
