//! Giving back: half of the way, then half of the rest, and no further than what leads to the set point.

use std::time::Duration;

use crate::policy::regulate::dial::Dial;
use crate::policy::regulate::drive::Drive;
use crate::policy::regulate::observer::Observer;
use crate::policy::sense::trips::Heat;
use crate::units::{CelsiusDelta, Moment, Ratio};

use super::plan::{MINUTE, MINUTE_NOISE, USES};
use super::{Governor, OVERSHOOTS, ROOM_AHEAD, SET_POINT};

/// The time between two steps of giving back.
const RECOVERY_STEP: Duration = Duration::from_secs(5);

/// A shorter step isn't worth a write.
const LEAST_STEP: Ratio = Ratio::new(0.01);

impl<D: Dial> Governor<D> {
    /// One tick of giving back: half of the way, then half of the rest. True: the GPU has
    /// everything back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat, drive: &Drive) -> bool {
        if !self.ladder.is_released() {
            self.ladder.give_back(now, heat);
            // The last rung's minimum goes with the rungs.
            if self.ladder.is_released() && self.is_under(self.setting) {
                self.move_to(now, Some(self.dial.floor()));
            }
            return false;
        }
        let Some(setting) = self.setting else {
            return true;
        };
        if now.since(self.moved) >= RECOVERY_STEP && !heat.at_set_point() {
            let original = self.dial.original(drive);
            let halfway = self.dial.halfway(setting, original);
            let next = if self.was_safe(now, heat) {
                halfway
            } else {
                self.no_hotter(setting, halfway, drive)
            };
            if next != Some(setting) {
                self.move_to(now, next);
            }
        }
        false
    }

    /// It is under safe, and the peaks of the last minute were, as far as they were seen.
    fn was_safe(&self, now: Moment, heat: &Heat) -> bool {
        let safe = CelsiusDelta::new((heat.to_safe - heat.to_alert).degrees());
        let peak = self.seen_lately.peak(MINUTE);
        let peak = peak.filter(|_| self.seen_lately.is_fresh(now));
        heat.is_safe() && peak.is_none_or(|peak| peak <= safe)
    }

    /// `next`, or as much of the way there as leads over the set point neither by a forecast nor by the
    /// peaks of the last minute, if the draw leans on `setting`: a fast die would be there before the next
    /// tick.
    fn no_hotter(
        &self,
        setting: D::Setting,
        next: Option<D::Setting>,
        drive: &Drive,
    ) -> Option<D::Setting> {
        let on_card = self.on_card(*drive);
        // The mean of a load with gaps doesn't reach a setting that its bursts lean on.
        let has_gaps = self.seen_lately.comes_and_goes() || self.seen_lately.flickers();
        let leans = self.dial.binds(on_card, self.observer.draw())
            || (has_gaps && self.seen_lately.draw(MINUTE) >= self.dial.share(on_card) * USES);
        let Some(next) = next.filter(|_| leans) else {
            return next;
        };
        let target = SET_POINT - OVERSHOOTS;
        let foreseen = self.observer.power_for(target, ROOM_AHEAD);
        let room = self.room_under(target, MINUTE, MINUTE_NOISE);
        let seen = self.dial.share(setting) + Observer::power_per(room.max(CelsiusDelta::ZERO));
        let most = foreseen.min(seen);
        if self.dial.share(next) <= most {
            return Some(next);
        }
        if most - self.dial.share(setting) < LEAST_STEP {
            return Some(setting);
        }
        Some(self.dial.setting(setting, most).clamp(setting, next))
    }
}
