//! The power limit: written, and read back, because cards round, clamp and ignore.

use std::time::Duration;

use crate::device::plausible::is_limit;
use crate::device::{ActuatorError, Gpu, Knob, PowerConstraints, Reading};
use crate::policy::knobs::GRAIN;
use crate::policy::{Claim, LimitClaim, Outcome, Write};
use crate::units::Watts;

use super::super::tally::{Action, ActionResult, Tally};
use super::{Direction, Hand, Stored};

/// What a card stores less than it is asked for is its rounding up to here, and beyond it a clamp.
const ROUNDS_BY: Watts = Watts::from_watts(5);

/// A limit of ours that shows again so soon after it was set, or another given back, is one that the
/// card forgot to forget. Later it may be an operator's, who likes round numbers, too.
pub(super) const FORGETS_WITHIN: Duration = Duration::from_secs(60);
/// So many are remembered: a governor and a recovery set some in a minute.
const SET_LATELY: usize = 16;

/// A limit that changes nothing is tried so often, and then now and then: what it was rounded to
/// seldom, and what was ignored as often as a knob without effect is tried where nothing else is
/// left.
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

impl Hand {
    pub(super) fn apply_limit(
        &mut self,
        gpu: &mut dyn Gpu,
        target: Option<Watts>,
        current: Watts,
        tally: &mut Tally,
    ) {
        let original = self.claim.limit.map(|ours| ours.original);
        let Some(wanted) = target.or(original.map(|it| self.settable(it))) else {
            return;
        };
        let settled = self
            .stored
            .filter(|it| (it.asked, it.made) == (wanted, current))
            .is_some_and(|it| self.rests(it, target.is_none()));
        if wanted == current || (settled && wanted < current) {
            self.confirmed |= self.claim.limit.is_some() && wanted == current;
            self.ignores_writes &= wanted != current;
        } else if (!settled || target.is_none()) && !self.waits(Knob::PowerLimit, wanted > current)
        {
            self.write_limit(gpu, current, wanted, tally);
            if target.is_none() && wanted > current {
                self.tell_rounding(gpu, wanted, tally);
            }
        }
        if target.is_none()
            && let Some(original) = original
            && let Some(now) = self.read_limit(gpu)
            && self.is_back(original, now)
        {
            self.returned = self.claim.limit.map(|ours| (ours, self.now));
            self.rounded = Some((original, now)).filter(|_| now != original);
            self.end_claim(tally);
        }
    }

    /// A card that forgets what it was given back shows our own limit again: it is ours to give back
    /// once more.
    pub(super) fn look_after_returned(&mut self, reading: &Reading, tally: &mut Tally) {
        let Some((ours, at)) = self.returned else {
            return;
        };
        if self.claim.limit.is_some() || self.now.since(at) > FORGETS_WITHIN {
            self.returned = None;
            return;
        }
        let again = |now: Watts| self.has_set_lately(now) && !self.is_back(ours.original, now);
        if reading.limit.is_ok_and(again) && reading.at > at {
            tracing::warn!(gpu = self.index, uuid = %self.uuid, original = %ours.original, "the card forgot the limit that was given back: giving it back again");
            self.put_off(Knob::PowerLimit);
            let claim = Claim {
                limit: Some(ours),
                ..self.claim
            };
            self.record(claim, tally);
            self.confirmed = true;
        }
    }

    /// A card that forgets goes back to the same limit again and again: as long as it does, that is
    /// one of ours.
    pub(super) fn shows_again(&mut self, current: Watts) {
        if self.has_set_lately(current) {
            self.note_set(current);
        }
    }

    /// Among those that were set lately, it is the newest.
    fn note_set(&mut self, limit: Watts) {
        self.set_lately.retain(|(set, _)| *set != limit);
        self.set_lately.truncate(SET_LATELY - 1);
        self.set_lately.push_front((limit, self.now));
    }

    /// A card that tells nothing any more may still listen: what slows it down from the limit that
    /// was last known is tried, and what gives back as well, though only a reading ends the claim.
    pub(super) fn apply_unseen_limit(
        &mut self,
        gpu: &mut dyn Gpu,
        target: Option<Watts>,
        tally: &mut Tally,
    ) {
        let original = self.claim.limit.map(|ours| ours.original);
        let given_back = original
            .filter(|_| self.may_loosen)
            .map(|it| self.settable(it));
        let Some((wanted, known)) = target.or(given_back).zip(self.last_limit) else {
            return;
        };
        let raises = target.is_none() && wanted > known;
        if (wanted < known || raises) && !self.waits(Knob::PowerLimit, raises) {
            self.write_limit(gpu, known, wanted, tally);
        }
    }

    /// Where the limit asked for can't be read, the one in force tells that it is back.
    pub(super) fn end_unseen_claim(
        &mut self,
        target: Option<Watts>,
        reading: &Reading,
        tally: &mut Tally,
    ) {
        let original = self.claim.limit.map(|ours| ours.original);
        if target.is_none() && original.is_some() && reading.enforced_limit.ok() == original {
            self.end_claim(tally);
        }
    }

    fn end_claim(&mut self, tally: &mut Tally) {
        self.confirmed = false;
        self.stored = None;
        let claim = Claim {
            limit: None,
            ..self.claim
        };
        self.record(claim, tally);
    }

    /// What came of a limit isn't asked for again, but where nothing did, and where it isn't all that
    /// is to be given back: a card that doesn't listen may do so later.
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

    /// A card that stores somewhat less than it is given back rounds, or clamps. One that rounds
    /// makes a whole step of a milliwatt less, and what it lacks is within that step.
    fn tell_rounding(&mut self, gpu: &mut dyn Gpu, original: Watts, tally: &mut Tally) {
        let Some(kept) = self.read_limit(gpu) else {
            return;
        };
        let short = original.saturating_sub(kept);
        if short <= self.rounds_by.max(GRAIN) || short > ROUNDS_BY {
            return;
        }
        let one_less = kept.saturating_sub(Watts::from_milliwatts(1));
        self.write_one(gpu, kept, one_less, tally);
        let Some(less) = self.read_limit(gpu) else {
            return;
        };
        if less < one_less && short <= kept.saturating_sub(less) {
            self.rounds_by = short;
        }
        self.write_one(gpu, less, original, tally);
    }

    /// The limit straight from the card, if it says one that can be.
    fn read_limit(&self, gpu: &mut dyn Gpu) -> Option<Watts> {
        let limit = gpu.power_limit().ok();
        limit.filter(|limit| is_limit(self.range.as_ref(), *limit))
    }

    /// The original, or what is nearest under it of what the card takes.
    fn settable(&self, original: Watts) -> Watts {
        self.range.map_or(original, |range| original.min(range.max))
    }

    /// The card has its original limit back, as nearly as it stores limits.
    fn is_back(&self, original: Watts, current: Watts) -> bool {
        current == original
            || (current < original && original.saturating_sub(current) <= self.rounds_by)
    }

    /// The original limit lies outside of what the card takes now, and the nearest it does take is on
    /// it: nothing more can be given back.
    pub fn out_of_reach(&self) -> Option<OutOfReach> {
        let (original, range) = (self.claim.limit?.original, self.range?);
        let nearest = original.min(range.max);
        let set = self.last_limit.filter(|&it| self.is_back(nearest, it))?;
        (nearest != original).then_some(OutOfReach {
            original,
            range,
            set,
        })
    }

    /// Writes a limit; where a lower one is refused, also the one halfway to it, once: a card may
    /// take less of a range than it tells.
    fn write_limit(&mut self, gpu: &mut dyn Gpu, from: Watts, to: Watts, tally: &mut Tally) {
        let refused = self.write_one(gpu, from, to, tally);
        let halfway = Watts::from_milliwatts(to.milliwatts().midpoint(from.milliwatts()));
        let worth_it = to < from && halfway.saturating_sub(to) > GRAIN;
        if !refused || !worth_it {
            return;
        }
        // Taken, it is the start of the next try; refused, the two are one answer to what was wanted.
        if self.write_one(gpu, from, halfway, tally)
            && let Some(write) = &mut self.writes[Knob::PowerLimit]
        {
            write.value = to.milliwatts();
            write.varied = true;
        }
    }

    /// True: the card refused it.
    fn write_one(&mut self, gpu: &mut dyn Gpu, from: Watts, to: Watts, tally: &mut Tally) -> bool {
        if !gpu.writes() {
            tally.act(Action::PowerLimit, ActionResult::Observed);
            return false;
        }
        let before = self.claim;
        let claim = self.writing(from, to);
        let slows = to < from;
        let direction = if slows {
            Direction::Protective
        } else {
            Direction::Raising
        };
        // The same claim, written again, is on the disk already.
        self.confirmed_on_disk &= claim == before;
        if !self.journal(claim, &direction, tally) {
            self.claim = before;
            tally.act(Action::PowerLimit, ActionResult::Unjournaled);
            return false;
        }
        let written = gpu.set_power_limit(to);
        let stored = self.read_limit(gpu);
        self.last_limit = stored.or(written.is_ok().then_some(to)).or(self.last_limit);
        let was_confirmed = std::mem::replace(&mut self.confirmed, false);
        let result = match (written, stored) {
            (Ok(()), Some(stored)) => {
                self.confirmed = stored != from;
                self.store(from, to, stored, tally);
                if stored == to {
                    ActionResult::Ok
                } else {
                    ActionResult::NotTaken
                }
            }
            (Ok(()), None) => ActionResult::NotTaken,
            (Err(error), _) => {
                // Refused, the card is as it was: what somebody else sets now is known as theirs.
                self.confirmed = was_confirmed && error.is_refusal();
                self.refused(error, before, tally);
                error.into()
            }
        };
        let moved = stored.is_some_and(|stored| moves(from, to, stored));
        self.ignores_writes = written.is_ok() && !moved && stored.is_some();
        if written.is_ok() && moved {
            let (watts, was) = (self.last_limit.unwrap_or(to).as_f64(), from.as_f64());
            tracing::info!(gpu = self.index, uuid = %self.uuid, watts, was, "power limit set");
        }
        let took = match (written.is_ok(), stored) {
            (true, None) => Outcome::Unknown,
            (true, Some(_)) if moved => Outcome::Taken,
            (true, Some(_)) => Outcome::Ignored,
            (false, _) => Outcome::from(result),
        };
        self.writes[Knob::PowerLimit] = Some(Write {
            value: to.milliwatts(),
            stored,
            slows,
            varied: false,
            outcome: took,
        });
        if !slows && took != Outcome::Taken {
            self.put_off(Knob::PowerLimit);
        }
        self.done(Action::PowerLimit, result, tally);
        matches!(
            written,
            Err(ActuatorError::OutOfRange | ActuatorError::Unsupported)
        )
    }

    /// What is claimed before `to` is written. What an original was rounded to when it was given back
    /// isn't what was there before us: a card would lose a step with each throttle.
    fn writing(&self, from: Watts, to: Watts) -> Claim {
        let mut claim = self.claim;
        claim.writing(from, to);
        if let (None, Some(ours), Some((original, rounded))) =
            (self.claim.limit, &mut claim.limit, self.rounded)
            && rounded == from
        {
            ours.original = original;
        }
        claim
    }

    /// What the card made of `asked` is what is known as ours from here on.
    fn store(&mut self, from: Watts, asked: Watts, stored: Watts, tally: &mut Tally) {
        let before = self
            .stored
            .filter(|it| (it.asked, it.made) == (asked, stored));
        self.note_set(stored);
        self.stored = Some(Stored {
            asked,
            made: stored,
            in_vain: before.map_or(0, |it| it.in_vain) + u32::from(!moves(from, asked, stored)),
            at: self.now,
        });
        let short = asked.saturating_sub(stored);
        // On the way up it may be a clamp that shows; a lesser one than this doesn't matter.
        let most = if asked < from { ROUNDS_BY } else { GRAIN };
        if stored != from && short <= most {
            self.rounds_by = self.rounds_by.max(short);
        }
        if stored == asked {
            return;
        }
        if let Some(ours) = self.claim.limit {
            let ours = LimitClaim {
                next: stored,
                ..ours
            };
            let claim = Claim {
                limit: Some(ours),
                ..self.claim
            };
            self.confirmed_on_disk = true;
            self.record(claim, tally);
        }
    }
}

/// What the card stored lies on the side of `from` that was asked for. A clamp may lie on the other.
fn moves(from: Watts, to: Watts, stored: Watts) -> bool {
    stored != from && (stored < from) == (to < from)
}
