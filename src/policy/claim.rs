//! What the guard holds on a GPU, and what to do when somebody else touches it.
//!
//! The claim is what the journal keeps: the original limit, to be given back exactly, and the
//! values around the last write, so that any of them read back is known as ours.

use std::time::Duration;

use crate::units::{Moment, Watts};

/// Our hold on one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Claim {
    /// The power limit, once written or about to be.
    pub limit: Option<LimitClaim>,
    /// The clock locks are ours: NVML can't tell, only this can.
    pub gpu_clock: bool,
    pub memory_clock: bool,
}

impl Claim {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Before `next` is written over `current`: what was there is remembered, first and last.
    pub fn writing(&mut self, current: Watts, next: Watts) {
        let original = self.limit.map_or(current, |limit| limit.original);
        self.limit = Some(LimitClaim {
            original,
            previous: current,
            next,
        });
    }
}

/// The three values of a limit that are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitClaim {
    /// What was there before us: given back exactly, never exceeded.
    pub original: Watts,
    /// What was there before the last write.
    pub previous: Watts,
    /// What the last write set, or was about to.
    pub next: Watts,
}

impl LimitClaim {
    /// A crash may have left any of the three; anything else is somebody else's.
    pub fn owns(&self, limit: Watts) -> bool {
        [self.original, self.previous, self.next].contains(&limit)
    }

    /// It lies between what was there before the last write and what that asked for.
    pub fn spans(&self, limit: Watts) -> bool {
        let (low, high) = (self.next.min(self.previous), self.next.max(self.previous));
        (low..=high).contains(&limit) || limit.is_just_under(low)
    }
}

/// Between two corrections of somebody else's higher limit, but at critical.
const REASSERT_EVERY: Duration = Duration::from_secs(10);
/// This many corrections within [`CONTEST_WINDOW`] are a contest.
const CONTEST_ROUNDS: usize = 3;
const CONTEST_WINDOW: Duration = Duration::from_secs(600);

/// The tug-of-war with another agent that sets limits. Datacentres have such agents: of 536 caps
/// given back in one, 103 had been overwritten by a host agent.
#[derive(Clone, Debug, Default)]
pub struct Contest {
    /// Somebody else's lower limit, seen once.
    suspect: Option<Watts>,
    /// The last corrections, newest last.
    rounds: [Option<Moment>; CONTEST_ROUNDS],
}

impl Contest {
    /// Looks at the limit read on this tick; somebody else's becomes the claim's original. A lower
    /// one must be read twice for that: it is left alone, so there is time to be sure.
    /// `lately`: it was ours a while ago.
    pub fn observe(
        &mut self,
        now: Moment,
        current: Watts,
        lately: bool,
        claim: &mut LimitClaim,
    ) -> Verdict {
        let foreign = !claim.owns(current) && !lately;
        if current <= claim.next {
            if !foreign {
                self.suspect = None;
                return Verdict::Ours;
            }
            if self.suspect.replace(current) != Some(current) {
                return Verdict::MaybeLower;
            }
            claim.original = current;
            return Verdict::Lower;
        }
        self.suspect = None;
        if foreign {
            claim.original = current;
        }
        // Higher than what we set: theirs, or ours undone.

        let last = self.rounds[CONTEST_ROUNDS - 1];
        if last.is_some_and(|last| now.since(last) < REASSERT_EVERY) {
            Verdict::HigherWait
        } else {
            Verdict::Higher
        }
    }

    /// A correction is made.
    pub fn corrected(&mut self, now: Moment) {
        self.rounds.rotate_left(1);
        self.rounds[CONTEST_ROUNDS - 1] = Some(now);
    }

    pub fn is_contested(&self, now: Moment) -> bool {
        self.rounds
            .iter()
            .all(|round| round.is_some_and(|at| now.since(at) <= CONTEST_WINDOW))
    }
}

/// Whose limit is on the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ours,
    /// Somebody else's, lower than ours: it stands.
    Lower,
    /// The same, seen for the first time.
    MaybeLower,
    /// Higher than ours; correct it now.
    Higher,
    /// Higher than ours, but corrected less than ten seconds ago: only critical may.
    HigherWait,
}

#[cfg(test)]
mod tests;
