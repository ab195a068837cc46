//! How a governor goes on from settings that aren't its own: those of the guard before, of another plan,
//! of a blind guard or an emergency.

use crate::device::ByClock;
use crate::policy::claim::Claim;
use crate::policy::regulate::dial::{Dial, Locks};
use crate::policy::types::targets::Targets;
use crate::units::Moment;

use super::Governor;

impl<D: Dial> Governor<D> {
    /// Keeps the setting at or below the one in `cap`: the cap of a blind guard.
    pub fn descend_to(&mut self, now: Moment, cap: &Targets) {
        if !self.ladder.is_released() {
            // The lock is the dial's, or there is a limit to go by.
            let limit = Targets {
                limit: cap.limit,
                ..Targets::default()
            };
            self.ladder.descend_to(now, &limit);
        }
        let cap = self.dial.wanted(cap);
        let lower = [self.setting, cap].into_iter().flatten().min();
        if lower != self.setting {
            self.move_to(now, lower);
        }
    }

    /// Continues from a previous guard's setting, and from its other settings if it had any.
    pub fn adopt(&mut self, now: Moment, claim: &Claim, locks: &Locks) {
        let left = self.dial.left(claim, locks);
        if self.dial.has_other_lock(&claim.locks) || self.is_under(left) {
            self.ladder.adopt(now, claim);
        }
        self.move_to(now, left.map(|left| left.max(self.least())));
    }

    /// The plan has other knobs now. Continues from the current targets.
    pub fn resume(&mut self, now: Moment, wanted: &Targets) {
        let locks = ByClock::of(|domain| wanted.locks[domain].is_some());
        let setting = self.dial.wanted(wanted);
        if self.dial.has_other_lock(&locks) || self.is_under(setting) {
            self.ladder.resume(wanted);
        }
        self.move_to(now, setting);
    }

    /// Goes to the coldest targets there are: an emergency hands over there.
    pub fn bottom(&mut self, now: Moment) {
        self.note_unslowed();
        self.ladder.bottom(now);
        self.move_to(now, Some(self.dial.minimum()));
    }
}
