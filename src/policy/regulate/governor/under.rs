//! Under the floor: the rungs that are taken where the dial alone isn't enough, and left where it would be.

use std::time::Duration;

use crate::policy::regulate::dial::Dial;
use crate::policy::regulate::drive::Drive;
use crate::policy::regulate::steps::Step;
use crate::policy::sense::trips::Heat;
use crate::units::{Moment, Ratio};

use super::{Governor, OVERSHOOTS, ROOM, ROOM_AHEAD, SET_POINT};

/// By then the sink is steady, too.
const REST_AHEAD: Duration = Duration::from_secs(180);

/// If the GPU is still too hot at the floor after this, the ladder takes over.
const FLOOR_DWELL: Duration = Duration::from_secs(10);
/// The same while it is getting cooler.
const FALLS_DWELL: Duration = Duration::from_secs(30);

impl<D: Dial> Governor<D> {
    /// Goes from a rung back to the dial alone if the floor would be enough. The ladder itself
    /// rises only if the card is far too cool.
    pub(super) fn leave_rungs(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.floor_share(), REST_AHEAD);
        let dwelt = now.since(self.ladder.moved()) >= self.steps.up_dwell;
        if foreseen < SET_POINT && dwelt && self.observer.is_steady() && !heat.at_set_point() {
            self.steps.learn(now, Step::Up);
            self.ladder.reset(now);
        }
    }

    /// Goes up the rungs if the floor would be enough again.
    pub(super) fn ease(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.floor_share(), ROOM_AHEAD);
        let full = !self.is_under(self.setting);
        if full && foreseen < SET_POINT - ROOM && now.since(self.moved) >= self.steps.up_dwell {
            self.ladder.rise(now, heat);
        }
    }

    /// Goes to the rungs below the floor if the dial at its floor isn't enough, or no setting has an
    /// effect.
    pub(super) fn escalate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        let own = self.setting.unwrap_or(self.dial.original(&drive));
        let current = self.on_card(drive).min(own);
        let lowest = self.dial.share(self.dial.floor().min(current));
        let foreseen = self.observer.predict(lowest, ROOM_AHEAD);
        let floored = self.dial.is_floored(current);
        if !floored || (foreseen <= SET_POINT + OVERSHOOTS && !heat.is_hot()) {
            self.floored_since = None;
            return;
        }
        let since = *self.floored_since.get_or_insert(now);
        // A forecast lags behind readings that turned. A rung on top of a floor that is more than enough
        // would cool the card until all is given back, over and over.
        let falls = self.seen_lately.falls(now);
        let least = if falls { FALLS_DWELL } else { FLOOR_DWELL };
        // A setting that was this low before the guard has had enough time.
        let dwelt = now.since(since) >= least || self.setting.is_none();
        let cools = falls && self.observer.level() < SET_POINT;
        if dwelt && !cools {
            if self.ladder.is_released() {
                // If the rungs were left only lately, that was too early.
                self.steps.learn(now, Step::Down);
            }
            self.note_unslowed();
            self.ladder.regulate(now, heat, drive);
        }
    }

    pub(super) fn note_unslowed(&mut self) {
        if self.ladder.is_released() {
            self.unslowed = self.dial.share(self.dial.floor());
        }
    }

    /// The draw at the floor without any rung.
    fn floor_share(&self) -> Ratio {
        let now = self.dial.share(self.dial.floor());
        if D::IS_EXACT {
            now
        } else {
            now.max(self.unslowed)
        }
    }
}
