//! The governor allows as much power as the set point permits, with as few writes as possible. It turns
//! a [`Dial`]: the power limit, or on a card without one the ceiling of the SM clock.
//!
//! It asks its [`Observer`] where the temperature will be, remembers what it has [`Seen`] lately, and
//! answers three questions on each tick, as [`plan`] says:
//!
//! * *Soon too hot?* It lowers the limit at once, to the draw that leads to the set point.
//! * *Much room?* It raises the limit, but seldom, in bounded steps, and only if the limit holds
//!   the GPU back: if a forecast says so, or the highest readings of the last minutes, whatever was
//!   foreseen.
//! * *Steady, but not at the set point?* It trims the limit, at most once in 90 seconds.
//!
//! Otherwise it doesn't write: noise and rounding move the estimate by a tenth of a degree, which
//! isn't worth a write. Below the floor of the power limit, the [`Ladder`]'s lower rungs take over:
//! clock lock, batch size, the card's minimum limit.

mod back;
mod plan;

use std::time::Duration;

use crate::device::ByClock;
use crate::policy::claim::Claim;
use crate::policy::sense::trips::Heat;
use crate::policy::types::targets::Targets;
use crate::units::{CelsiusDelta, Moment, Ratio};

use super::dial::{Dial, Locks};
use super::drive::Drive;
use super::ladder::Ladder;
use super::observer::{Draws, Observer, Phase};
use super::rungs::Rungs;
use super::seen::dips::{Bound, Dips};
use super::seen::{Seen, Sight};
use super::steps::{Step, Steps};

/// The temperature at which the GPU is held, relative to alert: half a degree below, because
/// readings round to whole degrees; down to a whole degree below under loads that come and go,
/// because they overshoot the prediction.
const SET_POINT: CelsiusDelta = CelsiusDelta::new(-0.5);
const SET_POINT_LOWEST: CelsiusDelta = CelsiusDelta::new(-1.0);

/// An excess over the set point up to this, or up to so many deviations of a reading's noise, is noise.
/// More than this lowers the set point, for a quarter of an hour.
const SWING_FREE: CelsiusDelta = CelsiusDelta::new(0.35);
const SWING_NOISE: f64 = 0.6;
const SWING_TIME: Duration = Duration::from_secs(900);

/// How far ahead the governor predicts: twice the time constant of the slowest die. By then most of a
/// change shows, and the sink has hardly moved.
const AHEAD: Duration = Duration::from_secs(10);

/// The limit goes down if the prediction exceeds the set point by this much: three times the
/// estimate's noise.
const OVERSHOOTS: CelsiusDelta = CelsiusDelta::new(0.3);
/// The limit goes up if the prediction for the next half minute stays below the set point by this
/// much, and the peaks of the last minute by half of it.
const ROOM: CelsiusDelta = CelsiusDelta::new(1.0);
const ROOM_AHEAD: Duration = Duration::from_secs(30);
/// By then the sink is steady, too.
const REST_AHEAD: Duration = Duration::from_secs(180);

/// Once the GPU has been held for this long, it has arrived at the set point.
const SETTLES: Duration = Duration::from_secs(60);

/// If the GPU is still too hot at the floor after this, the ladder takes over.
const FLOOR_DWELL: Duration = Duration::from_secs(10);
/// The same while it is getting cooler.
const FALLS_DWELL: Duration = Duration::from_secs(30);

/// The draw from before the rungs fades within this: the load may be another by then.
const UNSLOWED_TIME: Duration = Duration::from_secs(2 * 3600);

/// The governor of one card.
#[derive(Clone, Debug)]
pub struct Governor<D: Dial> {
    dial: D,
    observer: Observer,
    /// The rungs below the floor. It stays at rung 0 while the dial alone is enough.
    ladder: Ladder,
    /// `None`: the original setting.
    setting: Option<D::Setting>,
    moved: Moment,
    /// Since when it has held the GPU back.
    held_since: Option<Moment>,
    steps: Steps,
    seen_lately: Seen,
    dips: Dips,
    /// The recent excess over the set point.
    swing: CelsiusDelta,
    /// The average of the estimate, for the trim.
    average: CelsiusDelta,
    floored_since: Option<Moment>,
    /// The draw at the floor before any rung was taken. Smaller batches draw less: by that alone they
    /// would seem unnecessary.
    unslowed: Ratio,
    seen: Option<Moment>,
}

impl<D: Dial> Governor<D> {
    pub fn new(dial: D, rungs: Rungs) -> Self {
        Self {
            dial,
            observer: Observer::default(),
            ladder: Ladder::under_governor(rungs),
            setting: None,
            moved: Moment::START,
            held_since: None,
            steps: Steps::default(),
            seen_lately: Seen::default(),
            dips: Dips::default(),
            swing: CelsiusDelta::ZERO,
            average: SET_POINT,
            floored_since: None,
            unslowed: Ratio::ZERO,
            seen: None,
        }
    }

    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// The card's limits or the configuration changed. The estimate and the present setting stay.
    pub fn replace(&mut self, new: &Self) {
        self.dial.replace(&new.dial);
        self.ladder.replace(new.ladder.rungs().clone());
    }

    /// Follows a governor of the same card that turned another dial. The estimate stays.
    pub fn inherit<E: Dial>(&mut self, before: &Governor<E>) {
        self.observer.clone_from(&before.observer);
        self.seen_lately.clone_from(&before.seen_lately);
        self.swing = before.swing;
        self.average = before.average;
        self.seen = before.seen;
    }

    /// Call this on every tick, in every state: the estimate must be ready when it is needed.
    pub fn observe(&mut self, now: Moment, heat: &Heat, drive: &Drive) {
        let draw = self.dial.read(now, drive, self.setting);
        if let Some(factor) = draw.factor {
            self.observer.rescale(factor);
        }
        if let Some(share) = draw.share {
            self.look(now, heat, share, drive);
        }
        let step = self
            .seen
            .replace(now)
            .map_or(Duration::from_secs(1), |seen| now.since(seen));
        self.unslowed = self.unslowed * (Ratio::WHOLE - Ratio::of(step, UNSLOWED_TIME));
        let excess = self.observer.level() - SET_POINT;
        self.swing = excess.max(self.swing * (Ratio::WHOLE - Ratio::of(step, SWING_TIME)));
        let newest = Ratio::of(step, self.trim_time()).min(Ratio::WHOLE);
        self.average += (self.observer.level() - self.average) * newest;
    }

    /// Takes a reading of the temperature and the draw.
    fn look(&mut self, now: Moment, heat: &Heat, told: Ratio, drive: &Drive) {
        let held = self.held_since.is_some_and(|at| now.since(at) >= SETTLES);
        self.observer
            .set_phase(if held { Phase::Held } else { Phase::Arriving });
        let bound = if self.dial.binds(self.on_card(*drive), told) {
            Bound::BySetting
        } else {
            Bound::ByLoad
        };
        let smoothed = self.dips.pass(told, bound);
        let lasting = smoothed.lasting;
        self.observer.observe(now, heat, Draws { told, lasting });
        self.seen_lately.note(
            now,
            Sight {
                read: -CelsiusDelta::new(heat.to_alert.degrees()),
                level: self.observer.level(),
                foreseen: self.observer.predict(told, AHEAD),
                draw: told,
                middle: smoothed.middle,
            },
        );
    }

    /// How far over alert the temperature will be after `ahead` at the present draw.
    pub fn forecast(&self, ahead: Duration) -> CelsiusDelta {
        self.forecast_at(self.observer.draw(), ahead)
    }

    pub fn forecast_at(&self, draw: Ratio, ahead: Duration) -> CelsiusDelta {
        self.observer.predict(draw, ahead)
    }

    pub const fn draw(&self) -> Ratio {
        self.observer.draw()
    }

    pub fn targets(&self) -> Targets {
        let rung = self.ladder.targets();
        if self.ladder.is_released() || self.ladder.is_exhausted() {
            self.dial.targets(self.setting, rung)
        } else {
            rung
        }
    }

    /// One tick of regulation inside gradual.
    pub fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        if !self.ladder.is_released() && !self.ladder.is_exhausted() {
            self.ladder.regulate(now, heat, drive);
            self.leave_rungs(now, heat);
            if self.ladder.is_released() || self.ladder.is_exhausted() {
                self.move_to(now, Some(self.dial.floor()));
            }
            return;
        }
        if let Some(wanted) = self.wanted(now, drive) {
            let current = self.on_card(drive);
            let step = if wanted > self.dial.share(current) {
                Step::Up
            } else if self.was_hot() {
                Step::Down
            } else {
                Step::Precaution
            };
            self.steps.learn(now, step);
            self.set(now, wanted, current, self.dial.original(&drive));
        }
        if self.ladder.is_exhausted() {
            self.ease(now, heat);
        } else {
            self.escalate(now, heat, drive);
        }
    }

    pub fn reset(&mut self, now: Moment) {
        self.ladder.reset(now);
        self.move_to(now, None);
    }

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

    /// There are no colder targets.
    pub fn is_exhausted(&self) -> bool {
        let minimum = self.dial.minimum();
        self.ladder.is_exhausted() && self.setting.is_some_and(|setting| setting <= minimum)
    }

    /// The governor doesn't hold the card back.
    pub const fn is_released(&self) -> bool {
        self.setting.is_none() && self.ladder.is_released()
    }

    fn set_point(&self) -> CelsiusDelta {
        let free = SWING_FREE.max(self.observer.noise(SWING_NOISE));
        let excess = (self.swing - free).max(CelsiusDelta::ZERO);
        (SET_POINT - excess).max(SET_POINT_LOWEST)
    }

    fn on_card(&self, drive: Drive) -> D::Setting {
        self.dial.on_card(&drive, self.setting)
    }

    fn set(&mut self, now: Moment, share: Ratio, current: D::Setting, original: D::Setting) {
        // The floor stops the way down. It is no reason to go up.
        let least = self.least().min(current);
        let setting = self.dial.setting(current, share).max(least);
        let setting = (setting < original).then_some(setting);
        if setting != self.setting {
            self.move_to(now, setting);
        }
    }

    /// The lowest setting: the floor, or the minimum once all other rungs are taken.
    fn least(&self) -> D::Setting {
        if self.ladder.is_exhausted() {
            self.dial.minimum()
        } else {
            self.dial.floor()
        }
    }

    fn is_under(&self, setting: Option<D::Setting>) -> bool {
        setting.is_some_and(|setting| self.dial.is_under_floor(setting))
    }

    /// Goes from a rung back to the dial alone if the floor would be enough. The ladder itself
    /// rises only if the card is far too cool.
    fn leave_rungs(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.floor_share(), REST_AHEAD);
        let dwelt = now.since(self.ladder.moved()) >= self.steps.up_dwell;
        if foreseen < SET_POINT && dwelt && self.observer.is_steady() && !heat.at_set_point() {
            self.steps.learn(now, Step::Up);
            self.ladder.reset(now);
        }
    }

    /// Goes up the rungs if the floor would be enough again.
    fn ease(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.floor_share(), ROOM_AHEAD);
        let full = !self.is_under(self.setting);
        if full && foreseen < SET_POINT - ROOM && now.since(self.moved) >= self.steps.up_dwell {
            self.ladder.rise(now, heat);
        }
    }

    /// Goes to the rungs below the floor if the dial at its floor isn't enough, or no setting has an
    /// effect.
    fn escalate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
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

    fn note_unslowed(&mut self) {
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

    fn move_to(&mut self, now: Moment, setting: Option<D::Setting>) {
        self.held_since = setting.and(self.held_since.or(Some(now)));
        self.setting = setting;
        self.moved = now;
        self.average = SET_POINT;
        self.floored_since = None;
    }
}

#[cfg(test)]
mod tests;
