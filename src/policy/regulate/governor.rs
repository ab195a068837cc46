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
mod continued;
mod plan;
mod under;

use std::time::Duration;

use crate::policy::sense::trips::Heat;
use crate::policy::types::targets::Targets;
use crate::units::{CelsiusDelta, Moment, Ratio};

use super::dial::Dial;
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

/// Once the GPU has been held for this long, it has arrived at the set point.
const SETTLES: Duration = Duration::from_secs(60);

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
