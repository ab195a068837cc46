//! One write of the power limit: journaled, written and read back.

use crate::device::{ActuatorError, Gpu, Knob};
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::claiming::Direction;
use crate::guard::actuate::memory::{ROUNDS_BY, Stored, Unread};
use crate::guard::outcomes::{Action, ActionResult};
use crate::policy::knobs::GRAIN;
use crate::policy::{Claim, LimitClaim, Outcome, Write};
use crate::units::Watts;

impl Actuation {
    /// Writes a limit. If the card refuses a lower one, tries the limit halfway to it, once: a card may
    /// take less of a range than it reports.
    pub(super) fn write_limit(&mut self, gpu: &mut dyn Gpu, told: Watts, to: Watts) {
        let is_first = self.claim.limit.is_none() && gpu.writes();
        let from = if is_first {
            self.agreed(gpu, told)
        } else {
            told
        };
        if is_first && from <= to {
            // The decision was made from an odd answer.
            self.limit.last = Some(from);
            return;
        }
        let refused = self.write_one(gpu, from, to);
        let halfway = Watts::from_milliwatts(to.milliwatts().midpoint(from.milliwatts()));
        let worth_it = to < from && halfway.saturating_sub(to) > GRAIN;
        if !refused || !worth_it {
            return;
        }
        // If it is taken, the next try starts from there. If it is refused, the two refusals count as
        // one answer to the wanted limit.
        if self.write_one(gpu, from, halfway)
            && let Some(write) = &mut self.outcomes.writes[Knob::PowerLimit]
        {
            write.value = to.milliwatts();
            write.varied = true;
        }
    }

    /// The limit on the card before the first write: what two of three answers say, or the lowest of them.
    /// A single odd one must not become the limit that is given back.
    fn agreed(&self, gpu: &mut dyn Gpu, told: Watts) -> Watts {
        let Some(second) = self.read_limit(gpu).filter(|second| *second != told) else {
            return told;
        };
        match self.read_limit(gpu) {
            Some(third) if third == told || third == second => third,
            third => told.min(second).min(third.unwrap_or(told)),
        }
    }

    /// True: the card refused it.
    pub(super) fn write_one(&mut self, gpu: &mut dyn Gpu, from: Watts, to: Watts) -> bool {
        if !gpu.writes() {
            self.count(Action::PowerLimit, ActionResult::Observed);
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
        // The same claim is in the journal already.
        self.limit.confirmed_unjournaled |= claim != before;
        if !self.journal(claim, &direction) {
            self.claim = before;
            self.count(Action::PowerLimit, ActionResult::Unjournaled);
            return false;
        }
        let written = gpu.set_power_limit(to);
        let stored = self.read_limit(gpu);
        self.limit.last = stored.or(written.is_ok().then_some(to)).or(self.limit.last);
        let result = self.learn((from, to), written, stored, before);
        let moved = stored.is_some_and(|stored| moves(from, to, stored));
        self.limit.ignores_writes = written.is_ok() && !moved && stored.is_some();
        if written.is_ok() && moved {
            let (watts, was) = (self.limit.last.unwrap_or(to).as_f64(), from.as_f64());
            tracing::info!(gpu = self.index, uuid = %self.uuid, watts, was, "power limit set");
        }
        let took = match (written.is_ok(), stored) {
            (true, None) => Outcome::Unknown,
            (true, Some(_)) if moved => Outcome::Taken,
            (true, Some(_)) => Outcome::Ignored,
            (false, _) => Outcome::from(result),
        };
        self.outcomes.writes[Knob::PowerLimit] = Some(Write {
            value: to.milliwatts(),
            stored,
            slows,
            varied: false,
            outcome: took,
        });
        if !slows && took != Outcome::Taken {
            self.put_off(Knob::PowerLimit);
        }
        self.done(Action::PowerLimit, result);
        matches!(
            written,
            Err(ActuatorError::OutOfRange | ActuatorError::Unsupported)
        )
    }

    /// What came of a write.
    fn learn(
        &mut self,
        (from, to): (Watts, Watts),
        written: Result<(), ActuatorError>,
        stored: Option<Watts>,
        before: Claim,
    ) -> ActionResult {
        let was_confirmed = std::mem::replace(&mut self.limit.confirmed, false);
        let unread = Unread {
            from,
            asked: to,
            at: self.now,
        };
        match (written, stored) {
            (Ok(()), Some(stored)) => {
                self.limit.confirmed = stored != from;
                self.store(from, to, stored);
                if stored == to {
                    ActionResult::Ok
                } else {
                    ActionResult::NotTaken
                }
            }
            (Ok(()), None) => {
                self.limit.unread = Some(unread);
                ActionResult::NotTaken
            }
            (Err(error), _) => {
                // It may have worked all the same.
                if stored.is_none() && !error.is_refusal() {
                    self.limit.unread = Some(unread);
                }
                // After a refusal the card is as it was: another limit on it is somebody else's.
                self.limit.confirmed = was_confirmed && error.is_refusal();
                self.refused(error, before);
                error.into()
            }
        }
    }

    /// The claim before `to` is written. If the card had rounded the original when it was given back, or
    /// has forgotten it since, the original stays what it was: otherwise a card would lose a step with
    /// each throttle, or all that the last one took.
    fn writing(&self, from: Watts, to: Watts) -> Claim {
        let mut claim = self.claim;
        claim.writing(from, to);
        let rounded = self.limit.rounded.filter(|(_, stored)| *stored == from);
        let original = rounded
            .map(|(original, _)| original)
            .or_else(|| self.forgotten(from).map(|ours| ours.original));
        if let (None, Some(ours), Some(original)) = (self.claim.limit, &mut claim.limit, original) {
            ours.original = original;
        }
        claim
    }

    /// What the card made of `asked` counts as set by the guard from here on.
    fn store(&mut self, from: Watts, asked: Watts, stored: Watts) {
        let before = self
            .limit
            .stored
            .filter(|it| (it.asked, it.made) == (asked, stored));
        self.limit.unread = None;
        self.limit.note_set(stored, self.now);
        self.limit.stored = Some(Stored {
            asked,
            made: stored,
            in_vain: before.map_or(0, |it| it.in_vain) + u32::from(!moves(from, asked, stored)),
            at: self.now,
        });
        let short = asked.saturating_sub(stored);
        // On the way up it may be a clamp. One of less than a grain doesn't matter.
        let most = if asked < from { ROUNDS_BY } else { GRAIN };
        if stored != from && short <= most {
            self.limit.rounds_by = self.limit.rounds_by.max(short);
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
            self.limit.confirmed_unjournaled = false;
            self.record(claim);
        }
    }

    /// If a card stores somewhat less than the limit it is given back, it rounds or it clamps. To tell
    /// these apart, request one milliwatt less: a card that rounds goes down by a whole step, and the
    /// difference lies within that step.
    pub(super) fn tell_rounding(&mut self, gpu: &mut dyn Gpu, original: Watts) {
        let Some(kept) = self.read_limit(gpu) else {
            return;
        };
        let short = original.saturating_sub(kept);
        if short <= self.limit.rounds_by || short > ROUNDS_BY {
            return;
        }
        let one_less = kept.saturating_sub(Watts::from_milliwatts(1));
        self.write_one(gpu, kept, one_less);
        let Some(less) = self.read_limit(gpu) else {
            return;
        };
        if less < one_less && short <= kept.saturating_sub(less) {
            self.limit.rounds_by = short;
        }
        self.write_one(gpu, less, original);
    }
}

/// The stored limit lies on the requested side of `from`. A clamp may put it on the other side.
fn moves(from: Watts, to: Watts, stored: Watts) -> bool {
    stored != from && (stored < from) == (to < from)
}
