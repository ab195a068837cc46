//! Taking over what a dead guard left on a GPU: the next guard's worker goes on with it, `restore`
//! gives it back.

use crate::device::{Cadence, Gpu, Reading};

use super::actuate::Hand;
use super::journal::Entry;
use super::tally::Tally;

/// What of a dead guard's claim is still ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inherited {
    /// Nothing is there any more, and why.
    Nothing(&'static str),
    Ours,
    /// Somebody else set the limit since: theirs stands.
    AllButTheLimit,
}

/// An energy counter under the journal's says that the driver was reloaded. A single number is no
/// proof: it is read again, and the greater of both counts.
#[must_use]
pub fn recount(gpu: &mut dyn Gpu, left: &Entry, mut reading: Reading) -> Reading {
    let told = reading.slow.energy_millijoules;
    if told.is_some_and(|told| Some(told) < left.energy_millijoules) {
        let again = gpu.read(reading.at, Cadence::Full).plausible(gpu.facts());
        reading.slow.energy_millijoules = told.max(again.slow.energy_millijoules);
    }
    reading
}

/// Makes `hand` claim what `left` says, as far as `reading` shows it still there; the journal
/// follows. `reading` must be a full one.
pub fn inherit(hand: &mut Hand, left: &Entry, reading: &Reading, tally: &mut Tally) -> Inherited {
    hand.adopt(left, reading.limit.is_ok());
    match left.still_there(reading) {
        Err(gone) => {
            hand.forget(tally);
            Inherited::Nothing(gone)
        }
        Ok(claim) if claim == left.claim => Inherited::Ours,
        Ok(claim) => {
            hand.reclaim(claim, tally);
            match claim.limit {
                Some(_) => Inherited::Ours,
                None => Inherited::AllButTheLimit,
            }
        }
    }
}
