//! Which settings on a GPU are the guard's, and what to do when another program changes them.
//!
//! The journal stores the claim: the original limit, so that the guard can give it back exactly,
//! and the values around the last write, so that the guard recognises each of them as its own.

use std::time::Duration;

use crate::device::{ByClock, FanSetting, Knob, MOST_FANS};
use crate::units::{Moment, Watts};

/// The guard's settings on one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Claim {
    /// The power limit, if the guard has written one or is about to.
    pub limit: Option<LimitClaim>,
    /// The clock locks that the guard holds. The driver can't tell, only this can.
    pub locks: ByClock<bool>,
    /// The fans that the guard set, and who set them before.
    pub fans: FanClaims,
}

impl Claim {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn holds(&self, knob: Knob) -> bool {
        match (knob, knob.clock()) {
            (_, Some(domain)) => self.locks[domain],
            (Knob::Fan, None) => self.fans.any(),
            (_, None) => self.limit.is_some(),
        }
    }

    /// At least one clock lock is held.
    pub fn has_lock(&self) -> bool {
        self.locks.iter().any(|(_, &held)| held)
    }

    /// Call this before `next` is written over `current`. It remembers the original and the
    /// previous limit.
    pub fn writing(&mut self, current: Watts, next: Watts) {
        let original = self.limit.map_or(current, |limit| limit.original);
        self.limit = Some(LimitClaim {
            original,
            previous: current,
            next,
        });
    }
}

/// The setting of each fan from before the guard. `None`: the guard hasn't set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FanClaims([Option<FanSetting>; MOST_FANS]);

impl FanClaims {
    pub fn any(&self) -> bool {
        self.iter().next().is_some()
    }

    pub fn of(&self, fan: usize) -> Option<FanSetting> {
        self.0.get(fan).copied().flatten()
    }

    /// The fans that are claimed.
    pub fn iter(&self) -> impl Iterator<Item = (usize, FanSetting)> + '_ {
        let all = self.0.iter().enumerate();
        all.filter_map(|(fan, original)| Some((fan, (*original)?)))
    }

    pub fn set(&mut self, fan: usize, original: Option<FanSetting>) {
        if let Some(place) = self.0.get_mut(fan) {
            *place = original;
        }
    }

    /// Those of an earlier guard, and these for the other fans.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        let mut both = self;
        for (fan, original) in earlier.iter() {
            both.set(fan, Some(original));
        }
        both
    }
}

/// The three values that a limit of the guard can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitClaim {
    /// The limit from before the guard. It is given back exactly, and never exceeded.
    pub original: Watts,
    /// The limit before the last write.
    pub previous: Watts,
    /// The limit that the last write set, or was about to set.
    pub next: Watts,
}

impl LimitClaim {
    /// A crash may have left any of the three. Any other value comes from another program.
    pub fn owns(&self, limit: Watts) -> bool {
        [self.original, self.previous, self.next].contains(&limit)
    }

    /// The limit lies between the one before the last write and the one that the write asked for.
    pub fn spans(&self, limit: Watts) -> bool {
        let (low, high) = (self.next.min(self.previous), self.next.max(self.previous));
        (low..=high).contains(&limit) || limit.is_just_under(low)
    }
}

/// The time between two corrections of another program's higher limit, except at critical.
const REASSERT_EVERY: Duration = Duration::from_secs(10);
/// This many corrections within [`CONTEST_WINDOW`] count as a contest.
const CONTEST_ROUNDS: usize = 3;
const CONTEST_WINDOW: Duration = Duration::from_secs(600);

/// The contest with another agent that sets limits. Data centres have such agents: in one, a host
/// agent had overwritten 103 of 536 caps.
#[derive(Clone, Debug, Default)]
pub struct Contest {
    /// Another program's lower limit, read once.
    suspect: Option<Watts>,
    /// The last corrections, newest last.
    rounds: [Option<Moment>; CONTEST_ROUNDS],
}

impl Contest {
    /// Compares the limit read on this tick with the claim. Another program's limit becomes the
    /// claim's original. A lower one must be read twice for that: the guard leaves it alone, so
    /// there is time to be sure. `lately`: the guard set it recently.
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
        // The limit is higher than the guard set it. Another program raised it, or the card lost
        // the guard's value.

        let last = self.rounds[CONTEST_ROUNDS - 1];
        if last.is_some_and(|last| now.since(last) < REASSERT_EVERY) {
            Verdict::HigherWait
        } else {
            Verdict::Higher
        }
    }

    /// The guard corrects the limit.
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

/// Which program set the limit on the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ours,
    /// Another program's lower limit: it stays.
    Lower,
    /// The same, read for the first time.
    MaybeLower,
    /// A higher limit than the guard's: correct it now.
    Higher,
    /// A higher limit, but the last correction was less than ten seconds ago: only critical may
    /// correct it.
    HigherWait,
}

#[cfg(test)]
mod tests;
