//! Taking over what a dead guard left on a GPU: the next guard's worker goes on with it, `restore`
//! gives it back.

use crate::device::Reading;

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

/// Makes `hand` claim what `left` says, as far as `reading` shows it still there; the journal
/// follows. `reading` must be a full one.
pub fn inherit(hand: &mut Hand, left: &Entry, reading: &Reading, tally: &mut Tally) -> Inherited {
    hand.adopt(left);
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
