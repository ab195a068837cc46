//! A journal that couldn't be read when its GPU was taken on: the disk hangs, or fails. The GPU is
//! guarded all the same; the look goes on beside it, and what it finds is taken up then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::device::{Reading, Uuid};
use crate::files::{self, Pending};
use crate::policy::{Claim, LimitClaim};
use crate::units::Moment;

use super::actuate::Hand;
use super::journal::{self, Entry, Journal, JournalError};
use super::tally::Tally;

/// Between two looks that fail, and between two counts of one that doesn't come back.
const LOOK_EVERY: Duration = Duration::from_secs(2);

type Answer = Result<Option<Entry>, JournalError>;

/// The look, and the journal that isn't written meanwhile.
pub(super) struct Unread {
    state_dir: PathBuf,
    uuid: Uuid,
    journal: Journal,
    pending: Option<Pending<Answer>>,
    looked: Option<Moment>,
}

/// How a look went.
pub(super) enum Look {
    /// Nothing to say of it.
    UnderWay,
    Failed,
    /// The journal may be written again.
    Done(Answer),
}

impl Unread {
    pub(super) fn new(state_dir: &Path, uuid: &Uuid, journal: Journal) -> Self {
        journal.set_unread(true);
        Self {
            state_dir: state_dir.to_owned(),
            uuid: uuid.clone(),
            journal,
            pending: None,
            looked: None,
        }
    }

    /// Never waits: one look at a time, on a thread of its own.
    pub(super) fn look(&mut self, now: Moment) -> Look {
        if let Some(answer) = self.pending.as_ref().and_then(Pending::try_take) {
            self.pending = None;
            return match answer {
                Ok(Err(error)) if error.is_unread() => Look::Failed,
                Err(_) => Look::Failed,
                Ok(answer) => {
                    self.journal.set_unread(false);
                    Look::Done(answer)
                }
            };
        }
        if self.looked.is_some_and(|at| now.since(at) < LOOK_EVERY) {
            return Look::UnderWay;
        }
        self.looked = Some(now);
        if self.pending.is_some() {
            return Look::Failed;
        }
        let (state_dir, uuid) = (self.state_dir.clone(), self.uuid.clone());
        let look = move || journal::load_whenever(&state_dir, &uuid);
        // An error: an earlier look at it hasn't come back. The next may.
        self.pending = files::begin(&journal::path_of(&self.state_dir, &self.uuid), look).ok();
        match self.pending {
            Some(_) => Look::UnderWay,
            None => Look::Failed,
        }
    }
}

/// What a dead guard left joins what this one has claimed meanwhile. `Err`: nothing of it is there any
/// more, and why. `reading` must be a full one.
pub(super) fn join(
    hand: &mut Hand,
    left: &Entry,
    reading: &Reading,
    tally: &mut Tally,
) -> Result<Claim, &'static str> {
    let ours = *hand.claim();
    // What the card had before this guard wrote to it is what the dead one left there, or not.
    let before = Reading {
        limit: ours.limit.map_or(reading.limit, |limit| Ok(limit.original)),
        ..reading.clone()
    };
    let theirs = left.still_there(&before);
    let theirs = theirs.inspect_err(|_| hand.journal_anew())?;
    let claim = Claim {
        limit: joined(ours.limit, theirs.limit),
        gpu_clock: ours.gpu_clock || theirs.gpu_clock,
        memory_clock: ours.memory_clock || theirs.memory_clock,
    };
    hand.journal_anew();
    hand.reclaim(claim, tally);
    Ok(claim)
}

/// This guard's own limit, with the original that the dead one knew.
fn joined(ours: Option<LimitClaim>, theirs: Option<LimitClaim>) -> Option<LimitClaim> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(LimitClaim {
            original: theirs.original,
            ..ours
        }),
        (ours, theirs) => ours.or(theirs),
    }
}
