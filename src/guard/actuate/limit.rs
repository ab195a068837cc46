//! The power limit: written, and read back, because cards round, clamp and ignore.

use std::time::Duration;

use crate::device::{Gpu, Knob};
use crate::policy::{Claim, LimitClaim, Outcome, Write};
use crate::units::Watts;

use super::super::tally::{Action, ActionResult, Tally};
use super::{Direction, Hand, Stored};

/// A card may keep an original limit by so much less and still have it back: it rounds so.
const ROUNDS_BY: Watts = Watts::from_watts(5);

/// A limit that changes nothing is tried so often, and then now and then: what it was rounded to
/// seldom, and what was ignored as often as a knob without effect is tried where nothing else is
/// left.
const TRIES: u32 = 3;
const ROUNDED_AGAIN: Duration = Duration::from_secs(60);
const IGNORED_AGAIN: Duration = Duration::from_secs(3);

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
            .is_some_and(|it| (it.asked, it.stored) == (wanted, current) && self.rests(it));
        if wanted == current || (settled && wanted < current) {
            self.confirmed |= self.claim.limit.is_some() && wanted == current;
            self.ignores_writes &= wanted != current;
        } else if !(settled && target.is_some()) && !self.waits(Knob::PowerLimit, wanted > current)
        {
            self.write_limit(gpu, current, wanted, tally);
        }
        if target.is_none()
            && let Some(original) = original
            && gpu.power_limit().is_ok_and(|it| self.is_back(original, it))
        {
            self.confirmed = false;
            self.stored = None;
            let claim = Claim {
                limit: None,
                ..self.claim
            };
            self.record(claim, tally);
        }
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

    /// What came of a limit isn't asked for again, but where nothing did: a card that doesn't listen
    /// may do so later.
    fn rests(&self, it: Stored) -> bool {
        let again = if it.stored.saturating_sub(it.asked) <= ROUNDS_BY {
            ROUNDED_AGAIN
        } else {
            IGNORED_AGAIN
        };
        it.in_vain == 0 || (it.in_vain >= TRIES && self.now.since(it.at) < again)
    }

    /// The original, or what is nearest to it of what the card takes.
    fn settable(&self, original: Watts) -> Watts {
        self.range.map_or(original, |range| range.clamp(original))
    }

    /// The card has its original limit back, as nearly as it stores that.
    fn is_back(&self, original: Watts, current: Watts) -> bool {
        let rounds = |stored: Stored| {
            let short = original.saturating_sub(stored.stored);
            stored.asked == original && stored.stored == current && short <= ROUNDS_BY
        };
        current == original || (current < original && self.stored.is_some_and(rounds))
    }

    fn write_limit(&mut self, gpu: &mut dyn Gpu, from: Watts, to: Watts, tally: &mut Tally) {
        if !gpu.writes() {
            tally.act(Action::PowerLimit, ActionResult::Observed);
            return;
        }
        let before = self.claim;
        let mut claim = self.claim;
        claim.writing(from, to);
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
            return;
        }
        let written = gpu.set_power_limit(to);
        let stored = gpu.power_limit().ok();
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
        let moved = stored.is_some_and(|stored| (stored < from) == slows && stored != from);
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
            outcome: took,
        });
        if !slows && took != Outcome::Taken {
            self.put_off(Knob::PowerLimit);
        }
        self.done(Action::PowerLimit, result, tally);
    }

    /// What the card made of `asked` is what is known as ours from here on.
    fn store(&mut self, from: Watts, asked: Watts, stored: Watts, tally: &mut Tally) {
        let before = self
            .stored
            .filter(|it| (it.asked, it.stored) == (asked, stored));
        self.stored = Some(Stored {
            asked,
            stored,
            in_vain: before.map_or(0, |it| it.in_vain) + u32::from(stored == from),
            at: self.now,
        });
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
