//! The power limit: when it is written, and when it counts as given back. Cards round, clamp and ignore
//! limits.

use std::time::Duration;

use crate::device::plausible::is_limit;
use crate::device::{Gpu, Knob, PowerConstraints, Reading};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::memory::{FORGETS_WITHIN, ROUNDS_BY, Stored};
use crate::policy::{Claim, LimitClaim};
use crate::units::{Moment, Watts};

/// A limit that changes nothing is tried this often in a row, and then at intervals: long ones if the
/// card rounded it, short ones if the card ignored it. The short ones are as for a knob without effect
/// when no other knob is left.
const TRIES: u32 = 3;
const ROUNDED_AGAIN: Duration = Duration::from_secs(60);
const IGNORED_AGAIN: Duration = Duration::from_secs(3);

/// A limit that can't be given back, and what is on the card instead.
#[derive(Clone, Copy, Debug)]
pub struct OutOfReach {
    pub original: Watts,
    pub range: PowerConstraints,
    pub set: Watts,
}

impl Actuation {
    pub(crate) fn apply_limit(&mut self, gpu: &mut dyn Gpu, target: Option<Watts>, current: Watts) {
        let original = self.claim.limit.map(|ours| ours.original);
        let Some(wanted) = target.or(original.map(|it| self.settable(it))) else {
            return;
        };
        let settled = self
            .limit
            .stored
            .filter(|it| (it.asked, it.made) == (wanted, current))
            .is_some_and(|it| self.rests(it, target.is_none()));
        if wanted == current || (settled && wanted < current) {
            self.limit.confirmed |= self.claim.limit.is_some() && wanted == current;
            self.limit.ignores_writes &= wanted != current;
        } else if (!settled || target.is_none()) && !self.waits(Knob::PowerLimit, wanted > current)
        {
            self.write_limit(gpu, current, wanted);
            if target.is_none() && wanted > current {
                self.tell_rounding(gpu, wanted);
            }
        }
        if target.is_none()
            && let Some(original) = original
            && let Some(now) = self.read_limit(gpu)
            && self.is_back(original, now)
        {
            self.limit.returned = self.claim.limit.map(|ours| (ours, self.now));
            self.limit.rounded = Some((original, now)).filter(|_| now != original);
            self.end_claim();
        }
    }

    /// A card that forgets the limit it was given back shows the guard's own limit again. Then the guard
    /// claims it again and gives it back once more.
    pub(crate) fn watch_returned(&mut self, reading: &Reading) {
        let Some((_, at)) = self.limit.returned else {
            return;
        };
        if self.claim.limit.is_some() || self.now.since(at) > FORGETS_WITHIN {
            self.limit.returned = None;
            return;
        }
        let shown = reading.limit.ok().filter(|_| reading.at > at);
        if let Some(ours) = shown.and_then(|now| self.forgotten(now)) {
            tracing::warn!(gpu = self.index, uuid = %self.uuid, original = %ours.original, "the card forgot the limit that was given back: giving it back again");
            self.put_off(Knob::PowerLimit);
            let claim = Claim {
                limit: Some(ours),
                ..self.claim
            };
            self.record(claim);
            self.limit.confirmed = true;
        }
    }

    /// The claim that was given back lately, if `current` is no original limit, but one of the guard's own on
    /// a card that forgot the original.
    pub(super) fn forgotten(&self, current: Watts) -> Option<LimitClaim> {
        let lately = |at: Moment| self.now.since(at) <= FORGETS_WITHIN;
        let (ours, _) = self.limit.returned.filter(|(_, at)| lately(*at))?;
        // Whenever it was set: what it forgets in this time isn't an operator's.
        let own = self.limit.has_set(current) && !self.is_back(ours.original, current);
        own.then_some(ours)
    }

    /// A card that forgets goes back to the same limit again and again. As long as it does, the limit
    /// counts as set by the guard.
    pub(crate) fn shows_again(&mut self, current: Watts) {
        self.limit.note_shown(current, self.now);
        if self.has_set_lately(current) {
            self.limit.note_set(current, self.now);
        }
    }

    /// A card whose limit can't be read any more may still take writes. The guard tries those that slow
    /// it down from the last known limit, and those that give back; but only a reading ends the claim.
    pub(crate) fn apply_unseen_limit(&mut self, gpu: &mut dyn Gpu, target: Option<Watts>) {
        let original = self.claim.limit.map(|ours| ours.original);
        let given_back = original
            .filter(|_| self.may_loosen)
            .map(|it| self.settable(it));
        let Some((wanted, known)) = target.or(given_back).zip(self.limit.last) else {
            return;
        };
        let raises = target.is_none() && wanted > known;
        // The last write may have worked though the card answered with an error: a hot card is asked for
        // nothing above it.
        let tried = self.claim.limit.filter(|_| !self.may_loosen);
        let wanted = tried.map_or(wanted, |tried| wanted.min(tried.next));
        if (wanted < known || raises) && !self.waits(Knob::PowerLimit, raises) {
            // Not halfway, if it is refused: that may be over what is on the card.
            self.write_one(gpu, known, wanted);
        }
    }

    /// If the requested limit can't be read, the enforced one can tell that the original is back.
    pub(crate) fn end_unseen_claim(&mut self, target: Option<Watts>, reading: &Reading) {
        let original = self.claim.limit.map(|ours| ours.original);
        if target.is_none() && original.is_some() && reading.enforced_limit.ok() == original {
            self.limit.returned = self.claim.limit.map(|ours| (ours, self.now));
            self.end_claim();
        }
    }

    fn end_claim(&mut self) {
        self.limit.confirmed = false;
        // The limit is back, so a card that only rounded it took the last write; the locks may end, too.
        self.limit.ignores_writes = false;
        self.limit.stored = None;
        let claim = Claim {
            limit: None,
            ..self.claim
        };
        self.record(claim);
    }

    /// A limit with a known result isn't requested again, unless it changed nothing or doesn't give back
    /// everything: a card that ignores a limit may take it later.
    fn rests(&self, it: Stored, gives_back: bool) -> bool {
        let rounded = it.made.saturating_sub(it.asked) <= ROUNDS_BY;
        let again = if gives_back || rounded {
            ROUNDED_AGAIN
        } else {
            IGNORED_AGAIN
        };
        let lately = self.now.since(it.at) < again;
        match it.in_vain {
            // A clamp may be lifted.
            0 => lately || (!gives_back && rounded),
            tries => lately && tries >= TRIES,
        }
    }

    /// The limit straight from the card, if it is plausible.
    pub(super) fn read_limit(&self, gpu: &mut dyn Gpu) -> Option<Watts> {
        let limit = gpu.power_limit().ok();
        limit.filter(|limit| is_limit(self.limit.range.as_ref(), *limit))
    }

    /// The original, or the nearest lower limit that the card takes.
    fn settable(&self, original: Watts) -> Watts {
        self.limit
            .range
            .map_or(original, |range| original.min(range.max))
    }

    /// The card has its original limit back, as nearly as it stores limits.
    fn is_back(&self, original: Watts, current: Watts) -> bool {
        current == original
            || (current < original && original.saturating_sub(current) <= self.limit.rounds_by)
    }

    /// The original limit is out of the card's range now, and the nearest limit it takes is on it:
    /// nothing more can be given back.
    pub fn out_of_reach(&self) -> Option<OutOfReach> {
        let (original, range) = (self.claim.limit?.original, self.limit.range?);
        let nearest = original.min(range.max);
        let set = self.limit.last.filter(|&it| self.is_back(nearest, it))?;
        (nearest != original).then_some(OutOfReach {
            original,
            range,
            set,
        })
    }
}
