//! Letting go of a card: the guard gives back everything if that is safe, and otherwise leaves the card
//! throttled.

use std::thread;
use std::time::Duration;

use crate::device::{Cadence, Gpu, Reading};
use crate::policy::{AppMode, ExtraSensor};
use crate::units::{Moment, Watts};

use super::state::Worker;
use crate::guard::actuate::takeover::confirmed;
use crate::guard::state::Shared;

/// The driver or the disk may fail at just this moment: so many tries, this far apart.
const LEAVE_TRIES: u32 = 4;
const LEAVE_TRY_EVERY: Duration = Duration::from_millis(100);

impl Worker {
    /// Lets go of the card: at a stop or a detach. Gives everything back if the card is at or under
    /// safe; otherwise it stays throttled, and the journal says so.
    pub fn leave(&mut self, now: Moment, shared: &Shared) {
        self.was_away = true;
        let Some(gpu) = self.gpu.take() else {
            // It was lost before an operator detached the guard: it won't be seen cooling down.
            if self.absence.is_away() && shared.is_detached() {
                shared.tell_apps(&self.identity, AppMode::Normal);
            }
            return;
        };
        self.tried = None;
        self.part_with(gpu, now, shared);
        if shared.is_stopping() {
            self.note_nothing_left(shared);
        }
        // Closing the card is a driver call that can hang, too. The hang watch then told its
        // applications to slow down, and no later tick would tell them that it is over.
        let last = self.last.map(|(_, decision)| decision.targets.app);
        shared.tell_apps(&self.identity, last.unwrap_or_default());
    }

    /// The configuration no longer names this GPU. What was on ends here, for its applications, too.
    pub fn retire(&mut self, now: Moment, shared: &Shared) {
        self.leave(now, shared);
        shared.tell_apps(&self.identity, AppMode::Normal);
        for what in self.watch.end(now) {
            self.note(shared, what);
        }
    }

    fn part_with(&mut self, mut gpu: Box<dyn Gpu>, now: Moment, shared: &Shared) {
        let held = !self.actuation.claim().is_empty();
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
                self.warn_if_unrecorded();
            }
            return;
        }
        let mut cool = false;
        for attempt in 0..LEAVE_TRIES {
            if attempt > 0 {
                thread::sleep(LEAVE_TRY_EVERY);
            }
            let reading = gpu.read(now, Cadence::Fast).plausible(&self.facts);
            let limit = confirmed(gpu.as_mut(), reading.limit, self.actuation.claim());
            let reading = Reading { limit, ..reading };
            let probes = self.read_extra(now);
            if !self.is_safe(now, &reading, &probes) {
                cool = false;
                break;
            }
            cool = true;
            self.actuation.set_may_loosen(true);
            self.actuation.give_back(gpu.as_mut(), &reading);
            if self.actuation.claim().is_empty() {
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
            self.warn_if_unrecorded();
        }
    }

    /// Without a journal neither `restore` nor the next guard knows the original limit. The log does.
    fn warn_if_unrecorded(&mut self) {
        if self.actuation.is_journaled() {
            return;
        }
        let original = self.actuation.claim().limit.map(|limit| limit.original);
        let watts = original.map(Watts::as_f64);
        tracing::error!(gpu = self.identity.index, uuid = %self.identity.uuid, original_watts = watts, "left capped, and its journal isn't on disk: no guard can give it back; once it is cool, set the original limit by nvidia-smi -pl and reset the clocks by -rgc, or reboot");
    }

    /// Cool enough to give everything back at once, by the same judgement as on a tick.
    fn is_safe(&mut self, now: Moment, reading: &Reading, probes: &[ExtraSensor]) -> bool {
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

    /// A throttle that is on with nothing on the card ends with the guard: a recovery that only waits for
    /// an application, for example. The next guard finds nothing of it, so it can't tell its end.
    fn note_nothing_left(&mut self, shared: &Shared) {
        let has_all = self.actuation.claim().is_empty() && self.unread.is_none();
        if has_all && self.watch.is_on() && !self.live.observes {
            self.note_left(shared, false);
        }
    }

    fn note_left(&mut self, shared: &Shared, capped: bool) {
        let what = self.watch.left(capped);
        self.note(shared, what);
    }
}
