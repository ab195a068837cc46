//! Clock locks. The driver can't read them back, so the guard remembers the slowest that may be there.

use crate::device::{ActuatorError, ClockDomain, ClockRange, Gpu};
use crate::policy::{Claim, Outcome, Write};

use super::permission::outcome;
use crate::guard::actuate::actuation::Actuation;
use crate::guard::actuate::claiming::Direction;
use crate::guard::outcomes::{Action, ActionResult};

impl Actuation {
    pub(crate) fn apply_clock(
        &mut self,
        gpu: &mut dyn Gpu,
        domain: ClockDomain,
        target: Option<ClockRange>,
    ) {
        let set = self.locks[domain].range;
        let claimed = self.claim.locks[domain];
        // The policy knows what it wanted, the actuation knows the outcome. If a lock couldn't be
        // loosened in time and the card is hot by then, it must not be loosened any more.
        let loosens = match (target, set) {
            (Some(range), Some(set)) => range.max > set.max,
            (Some(_), None) => false,
            (None, _) => claimed,
        };
        let target = if loosens && !self.may_loosen {
            // Set it again if it may be gone: a card that was lost may have forgotten it.
            match set.filter(|_| !self.locks[domain].confirmed) {
                Some(set) => Some(set),
                None => return,
            }
        } else {
            target
        };
        match target {
            Some(range) if set == Some(range) && self.locks[domain].confirmed => {}
            Some(range) if gpu.writes() => self.lock(gpu, domain, range),
            Some(range) => {
                self.note_lock(domain, Some(range), true);
                self.count(Action::Lock(domain), ActionResult::Observed);
            }
            None if claimed && !self.waits(domain.knob(), true) => {
                self.unlock(gpu, domain);
            }
            None if !claimed && self.may_loosen => self.note_lock(domain, None, false),
            None => {}
        }
    }

    fn lock(&mut self, gpu: &mut dyn Gpu, domain: ClockDomain, range: ClockRange) {
        let before = self.claim;
        let set = self.locks[domain].range;
        // After a crash from here on either lock may be there: the next guard goes by the slower one.
        self.locks[domain].range = slower(set, range);
        self.journal(with_lock(before, domain, true), &Direction::Protective);
        let result = gpu.lock_clock(domain, range);
        match result {
            Ok(()) => self.note_lock(domain, Some(range), !self.limit.ignores_writes),
            Err(error) if error.is_refusal() => self.locks[domain].range = set,
            // Either lock may be there now.
            Err(_) => self.note_lock(domain, slower(set, range), false),
        }
        if let Err(error) = result {
            self.refused(error, before);
        }
        let result = outcome(result);
        self.outcomes.writes[domain.knob()] = Some(Write {
            value: range.max.megahertz(),
            stored: None,
            varied: false,
            slows: set.is_none_or(|set| range.max <= set.max),
            outcome: Outcome::from(result),
        });
        self.done(Action::Lock(domain), result);
    }

    fn note_lock(&mut self, domain: ClockDomain, range: Option<ClockRange>, confirmed: bool) {
        self.locks[domain].range = range;
        self.locks[domain].confirmed = confirmed;
    }

    fn unlock(&mut self, gpu: &mut dyn Gpu, domain: ClockDomain) {
        use ActuatorError::{OutOfRange, Unsupported};
        let own = self
            .restore_clock
            .filter(|_| domain == ClockDomain::Gpu)
            .map(|range| gpu.lock_clock(domain, range));
        let result = match own {
            // An operator's range that the card refuses must not keep the guard's lock on it.
            None | Some(Err(OutOfRange | Unsupported)) => gpu.reset_clock(domain),
            Some(result) => result,
        };
        // The card has just accepted a limit without setting it, and the lock can't be read back.
        let ignored = result.is_ok() && self.limit.ignores_writes;
        if result.is_ok() && !ignored {
            self.note_lock(domain, None, false);
            self.record(with_lock(self.claim, domain, false));
        } else {
            self.put_off(domain.knob());
        }
        let result = if ignored {
            ActionResult::NotTaken
        } else {
            outcome(result)
        };
        self.done(Action::Reset(domain), result);
    }
}

fn with_lock(claim: Claim, domain: ClockDomain, held: bool) -> Claim {
    Claim {
        locks: claim.locks.with(domain, held),
        ..claim
    }
}

fn slower(set: Option<ClockRange>, range: ClockRange) -> Option<ClockRange> {
    set.filter(|set| set.max < range.max).or(Some(range))
}
