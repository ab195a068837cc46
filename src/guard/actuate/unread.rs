//! A journal that couldn't be read when its worker started: the disk hangs, or fails. The GPU is
//! guarded all the same. The guard keeps trying to read the journal between its ticks, and joins its
//! claim with what is claimed by then.

use std::time::Duration;

use crate::device::{ByClock, Reading, Uuid};
use crate::disk;
use crate::disk::Pending;
use crate::policy::{Claim, LimitClaim};
use crate::units::Moment;

use super::journal::{self, Entry, Journal, JournalDirs, JournalError};
use crate::guard::actuate::actuation::Actuation;

/// Between two attempts that fail, and between two counts of one that doesn't come back.
const TRY_EVERY: Duration = Duration::from_secs(2);

type Answer = Result<Option<Entry>, JournalError>;

/// The attempt to read, and the journal that must not be written meanwhile.
pub(crate) struct Unread {
    dirs: JournalDirs,
    uuid: Uuid,
    journal: Journal,
    pending: Option<Pending<Answer>>,
    tried: Option<Moment>,
}

/// How an attempt went.
#[expect(
    clippy::large_enum_variant,
    reason = "one is made in a guard's life, and taken apart at once"
)]
pub(crate) enum ReadAttempt {
    /// No answer yet, and it isn't late.
    UnderWay,
    Failed,
    /// The journal may be written again.
    Done(Answer),
}

impl Unread {
    pub(crate) fn new(dirs: JournalDirs, uuid: &Uuid, journal: Journal) -> Self {
        journal.set_unread(true);
        Self {
            dirs,
            uuid: uuid.clone(),
            journal,
            pending: None,
            tried: None,
        }
    }

    /// Never waits: one attempt at a time, on a thread of its own.
    pub(crate) fn try_read(&mut self, now: Moment) -> ReadAttempt {
        if let Some(answer) = self.pending.as_ref().and_then(Pending::try_take) {
            self.pending = None;
            return match answer {
                Ok(Err(error)) if error.is_unread() => ReadAttempt::Failed,
                Err(_) => ReadAttempt::Failed,
                Ok(answer) => {
                    self.journal.set_unread(false);
                    ReadAttempt::Done(answer)
                }
            };
        }
        if self.tried.is_some_and(|at| now.since(at) < TRY_EVERY) {
            return ReadAttempt::UnderWay;
        }
        self.tried = Some(now);
        if self.pending.is_some() {
            return ReadAttempt::Failed;
        }
        let (dirs, uuid) = (self.dirs.clone(), self.uuid.clone());
        let read = move || journal::load_whenever(&dirs, &uuid);
        // An error: an earlier attempt hasn't come back. The next may succeed.
        self.pending = disk::begin(&self.dirs.path_of(&self.uuid), read).ok();
        match self.pending {
            Some(_) => ReadAttempt::UnderWay,
            None => ReadAttempt::Failed,
        }
    }
}

/// Joins the claim that a dead guard left with what this one has claimed meanwhile. `Err`: nothing of it
/// is there any more, and why. `reading` must be a full one.
pub(crate) fn join(
    actuation: &mut Actuation,
    left: &Entry,
    reading: &Reading,
) -> Result<Claim, &'static str> {
    let ours = *actuation.claim();
    // Compare with the card as it was before this guard wrote to it.
    let before = Reading {
        limit: ours.limit.map_or(reading.limit, |limit| Ok(limit.original)),
        ..reading.clone()
    };
    let theirs = left.still_there(&before);
    let theirs = theirs.inspect_err(|_| actuation.rewrite_journal())?;
    let claim = Claim {
        limit: joined(ours.limit, theirs.limit),
        locks: ByClock::of(|domain| ours.locks[domain] || theirs.locks[domain]),
        fans: ours.fans.after(&theirs.fans),
    };
    actuation.know_locks(ours.locks, &left.locks);
    actuation.rewrite_journal();
    actuation.reclaim(claim);
    Ok(claim)
}

/// This guard's own limit, with the original from the dead guard.
fn joined(ours: Option<LimitClaim>, theirs: Option<LimitClaim>) -> Option<LimitClaim> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => Some(LimitClaim {
            original: theirs.original,
            ..ours
        }),
        (ours, theirs) => ours.or(theirs),
    }
}
