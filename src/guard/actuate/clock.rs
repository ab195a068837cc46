//! Clock locks: NVML can't read them back, so the hand remembers the slowest that may be there.

use crate::device::{ActuatorError, ClockRange, Gpu};
use crate::policy::{Outcome, Write};

use super::super::domain::Domain;
use super::super::tally::{ActionResult, Tally};
use super::outcomes::outcome;
use super::{Direction, Hand};

impl Hand {
    pub(super) fn apply_clock(
        &mut self,
        gpu: &mut dyn Gpu,
        domain: Domain,
        target: Option<ClockRange>,
        tally: &mut Tally,
    ) {
        let set = self.locked[domain as usize];
        let claimed = domain.is_claimed(&self.claim);
        // The policy knows what it wanted, the hand what came of it: a lock that was to be loosened
        // and couldn't be must not be when it is hot by then.
        let loosens = match (target, set) {
            (Some(range), Some(set)) => range.max > set.max,
            (Some(_), None) => false,
            (None, _) => claimed,
        };
        let target = if loosens && !self.may_loosen {
            // Set again where it may be gone: an opened card forgets nothing, a lost one may have.
            match set.filter(|_| !self.certain[domain as usize]) {
                Some(set) => Some(set),
                None => return,
            }
        } else {
            target
        };
        match target {
            Some(range) if set == Some(range) && self.certain[domain as usize] => {}
            Some(range) if gpu.writes() => self.lock(gpu, domain, range, tally),
            Some(range) => {
                self.note_lock(domain, Some(range), true);
                tally.act(domain.lock(), ActionResult::Observed);
            }
            None if claimed && !self.waits(domain.knob(), true) => {
                self.unlock(gpu, domain, tally);
            }
            None if !claimed && self.may_loosen => self.note_lock(domain, None, false),
            None => {}
        }
    }

    fn lock(&mut self, gpu: &mut dyn Gpu, domain: Domain, range: ClockRange, tally: &mut Tally) {
        let before = self.claim;
        let set = self.locked[domain as usize];
        // A crash from here on may leave either: the slower one binds whoever comes next.
        self.locked[domain as usize] = slower(set, range);
        self.journal(domain.claimed(before, true), &Direction::Protective, tally);
        let result = domain.set(gpu, range);
        match result {
            Ok(()) => self.note_lock(domain, Some(range), !self.ignores_writes),
            Err(error) if error.is_refusal() => self.locked[domain as usize] = set,
            // Either may be there now.
            Err(_) => self.note_lock(domain, slower(set, range), false),
        }
        if let Err(error) = result {
            self.refused(error, before, tally);
        }
        let result = outcome(result);
        self.writes[domain.knob()] = Some(Write {
            value: range.max.megahertz(),
            stored: None,
            varied: false,
            slows: set.is_none_or(|set| range.max <= set.max),
            outcome: Outcome::from(result),
        });
        self.done(domain.lock(), result, tally);
    }

    fn note_lock(&mut self, domain: Domain, range: Option<ClockRange>, certain: bool) {
        self.locked[domain as usize] = range;
        self.certain[domain as usize] = certain;
    }

    fn unlock(&mut self, gpu: &mut dyn Gpu, domain: Domain, tally: &mut Tally) {
        use ActuatorError::{OutOfRange, Unsupported};
        let own = self
            .restore_clock
            .filter(|_| matches!(domain, Domain::Gpu))
            .map(|range| domain.set(gpu, range));
        let result = match own {
            // A range that the card doesn't have must not keep our lock on it.
            None | Some(Err(OutOfRange | Unsupported)) => domain.reset(gpu),
            Some(result) => result,
        };
        // A card that has just said so of a limit, too, and not set it: the lock can't be looked at.
        let ignored = result.is_ok() && self.ignores_writes;
        if result.is_ok() && !ignored {
            self.note_lock(domain, None, false);
            self.record(domain.claimed(self.claim, false), tally);
        } else {
            self.put_off(domain.knob());
        }
        let result = if ignored {
            ActionResult::NotTaken
        } else {
            outcome(result)
        };
        self.done(domain.reset_action(), result, tally);
    }
}

fn slower(set: Option<ClockRange>, range: ClockRange) -> Option<ClockRange> {
    set.filter(|set| set.max < range.max).or(Some(range))
}
