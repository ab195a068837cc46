//! Letting go of a card: what is throttled is given back where that is safe, and otherwise stays.

use std::thread;
use std::time::Duration;

use crate::device::{Cadence, Gpu, Reading};
use crate::policy::{AppMode, Probe};
use crate::units::Moment;

use super::super::shared::Shared;
use super::Worker;

/// A driver or a disk may stumble just when all is to be given back: so many tries, so far apart.
const LEAVE_TRIES: u32 = 4;
const LEAVE_TRY_EVERY: Duration = Duration::from_millis(100);

impl Worker {
    /// Lets go of the card: a stop, a detach, or a lost GPU's last tick. What is throttled is given
    /// back at or under safe, and otherwise stays, journaled.
    pub fn leave(&mut self, now: Moment, shared: &Shared) {
        let Some(gpu) = self.gpu.take() else {
            // It was lost before an operator let go of it: nobody will see it cool down.
            if self.absence.is_away() && shared.is_detached() {
                shared.tell_apps(&self.identity, AppMode::Normal);
            }
            return;
        };
        self.tried = None;
        self.part_with(gpu, now, shared);
        // Closing the card is a call that can hang, too: its applications were told to slow down
        // then, and no tick tells them that it is over.
        let last = self.last.map(|(_, decision)| decision.targets.app);
        shared.tell_apps(&self.identity, last.unwrap_or_default());
    }

    fn part_with(&mut self, mut gpu: Box<dyn Gpu>, now: Moment, shared: &Shared) {
        let held = !self.hand.claim().is_empty();
        let uuid = self.identity.uuid.clone();
        let kept = if shared.is_followed() {
            Some("kept throttled: the unit gives it back unless another guard follows")
        } else if self.live.keep_on_exit {
            Some("kept throttled, as configured")
        } else {
            None
        };
        if let Some(why) = kept {
            if held {
                self.note_left(shared, true);
                tracing::info!(gpu = self.identity.index, %uuid, "{why}");
            }
            return;
        }
        let mut cool = false;
        for attempt in 0..LEAVE_TRIES {
            if attempt > 0 {
                thread::sleep(LEAVE_TRY_EVERY);
            }
            let reading = gpu.read(now, Cadence::Fast).plausible(&self.facts);
            let probes = self.look_beside(now);
            if !self.is_safe(now, &reading, &probes) {
                cool = false;
                break;
            }
            cool = true;
            self.hand.set_may_loosen(true);
            self.hand.give_back(gpu.as_mut(), &reading, &mut self.tally);
            if self.hand.claim().is_empty() {
                self.left_clean(now, held, shared);
                return;
            }
        }
        if held {
            self.note_left(shared, true);
            let why = if cool {
                "the card doesn't take everything back"
            } else {
                "still above safe, or its temperature isn't known"
            };
            tracing::warn!(gpu = self.identity.index, %uuid, why, "left capped: `thermal-guard restore` gives it back when it can be");
        }
    }

    /// Cool enough to give all back at once, by the judgement of a tick.
    fn is_safe(&mut self, now: Moment, reading: &Reading, probes: &[Probe]) -> bool {
        let facts = self.facts.clone();
        let policy = self.policy.as_mut();
        policy.is_some_and(|policy| policy.is_cool(now, reading, &facts, probes))
    }

    fn left_clean(&mut self, now: Moment, held: bool, shared: &Shared) {
        shared.tell_apps(&self.identity, AppMode::Normal);
        if let Some(policy) = &mut self.policy {
            policy.released(now);
        }
        self.last = None;
        if held {
            self.note_left(shared, false);
            tracing::info!(gpu = self.identity.index, uuid = %self.identity.uuid, "given back on leaving");
        }
    }

    fn note_left(&mut self, shared: &Shared, capped: bool) {
        let what = self.watch.left(capped);
        self.note(shared, what);
    }
}
