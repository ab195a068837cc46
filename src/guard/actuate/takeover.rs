//! Takes over the claim that a dead guard left on a GPU. The next guard's worker continues with it;
//! `restore` gives it back.

use crate::device::{Gpu, Missing, Reading};
use crate::policy::Claim;
use crate::units::Watts;

use super::journal::Entry;
use crate::guard::actuate::actuation::Actuation;

/// How often a limit that a claim doesn't list is read again.
const REREADS: u32 = 2;

/// Which part of a dead guard's claim still applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOver {
    /// None of it, and why.
    Nothing(&'static str),
    All,
    /// Somebody else has set the limit since: it stays as they set it.
    AllButTheLimit,
}

/// A limit that `claim` doesn't list is read again before it is believed: a single odd answer must not
/// become the limit that is given back, nor end a claim that is still on the card.
pub fn confirmed(
    gpu: &mut dyn Gpu,
    limit: Result<Watts, Missing>,
    claim: &Claim,
) -> Result<Watts, Missing> {
    let foreign = |limit: Watts| claim.limit.is_some_and(|ours| !ours.owns(limit));
    let mut limit = limit?;
    for _ in 0..REREADS {
        if !foreign(limit) {
            break;
        }
        let Ok(again) = gpu.power_limit() else {
            return Err(Missing::Unconfirmed);
        };
        if again != limit && foreign(again) {
            return Err(Missing::Unconfirmed);
        }
        limit = again;
    }
    Ok(limit)
}

/// Makes `actuation` claim what `left` says, as far as `reading` shows that it is still there, and
/// updates the journal. `reading` must be a full one.
pub fn take_over(actuation: &mut Actuation, left: &Entry, reading: &Reading) -> TakenOver {
    actuation.adopt(left, reading.limit.is_ok());
    match left.still_there(reading) {
        Err(gone) => {
            actuation.forget();
            TakenOver::Nothing(gone)
        }
        Ok(claim) if claim == left.claim => TakenOver::All,
        Ok(claim) => {
            actuation.reclaim(claim);
            match claim.limit {
                Some(_) => TakenOver::All,
                None => TakenOver::AllButTheLimit,
            }
        }
    }
}
