//! The governor: as much power as the set point allows, and no more writes than that takes.
//!
//! It asks its [`Observer`] where the temperature will be, and answers three questions each tick:
//!
//! * *Too hot soon?* Down at once, to the draw that ends at the set point.
//! * *Much room?* Up, but seldom, bounded, and only if the limit is what holds the GPU back.
//! * *Resting, but not at the set point?* A trim, once a minute at most.
//!
//! In between it doesn't write: noise and rounding move the estimate by a tenth of a degree, and a
//! tenth of a degree is not worth a write. Under the floor of the power limit the [`Ladder`]'s
//! lower rungs take over: clock lock, batch, the device's minimum.

use std::time::Duration;

use crate::device::PowerConstraints;
use crate::units::{Megahertz, Moment, Ratio, Watts};

use super::claim::Claim;
use super::knobs::GRAIN;
use super::ladder::Ladder;
use super::observer::Observer;
use super::rungs::{Rungs, Targets};
use super::zone::Heat;

/// Where the temperature is held, under alert: half a degree, as whole degrees round; and down to
/// a whole one under loads that come and go, which overshoot what was foreseen.
const SET_POINT: f64 = -0.5;
const SET_POINT_LOWEST: f64 = -1.0;

/// Over the set point by this much is noise; what is over it lowers the set point, and is
/// forgotten within the quarter of an hour.
const SWING_FREE: f64 = 0.35;
const SWING_SECONDS: f64 = 900.0;

/// How far ahead the limit is judged: twice the die's time constant, so that most of what a
/// change does is seen, and the sink has hardly moved.
const AHEAD: Duration = Duration::from_secs(10);

/// Down when the temperature will be over the set point by this much: three times the estimate's
/// noise.
const OVERSHOOTS: f64 = 0.3;
/// A resting GPU that is over by no more than this gets what brings its *resting* temperature back,
/// a third of what would do so within seconds and then be too much.
const MILD: f64 = 1.0;
const MILD_DWELL: Duration = Duration::from_secs(30);
/// To and fro is noise, or a plant that answers unlike the picture: trims wait longer then.
const TURNS_MAX: u32 = 4;

/// Corrections in one direction are a trend, as of a room that warms: each goes further than the
/// one before, up to so many times.
const TREND_MAX: i32 = 3;
/// Between two corrections down, unless one of more than this share of the default limit is due.
const DOWN_DWELL: Duration = Duration::from_secs(4);
const URGENT: f64 = 0.04;

/// Up when the temperature stays under the set point by this much for the next half minute.
const ROOM: f64 = 1.0;
const ROOM_AHEAD: Duration = Duration::from_secs(30);
/// By then the sink has come to rest, too.
const REST_AHEAD: Duration = Duration::from_secs(180);
const STEP_UP_MAX: f64 = 0.08;
const UP_DWELL: Duration = Duration::from_secs(20);
/// A step up that is taken back within this doubles the next dwell, up to the maximum.
const REGRET: Duration = Duration::from_secs(120);
const UP_DWELL_MAX: Duration = Duration::from_secs(640);

/// A resting temperature this far off the set point is trimmed.
const TRIM: f64 = 0.3;
const TRIM_DWELL: Duration = Duration::from_secs(90);
/// The estimate is averaged over this for it.
const TRIM_SECONDS: f64 = 20.0;

/// A limit that the draw doesn't reach by this much holds nothing back.
const BINDS: f64 = 0.95;

/// The floor, still too hot: the ladder takes over after this.
const FLOOR_DWELL: Duration = Duration::from_secs(10);

/// Between two steps of giving back.
const RECOVERY_STEP: Duration = Duration::from_secs(5);

/// The power side of the card, as read on this tick.
#[derive(Clone, Copy, Debug)]
pub struct Drive {
    pub draw: Option<Watts>,
    pub clock: Option<Megahertz>,
    /// The highest limit we may set.
    pub original: Watts,
    /// The limit that is on the card. `None`: it can't be told, or nothing is written.
    pub limit: Option<Watts>,
}

/// The governor of one card.
#[derive(Clone, Debug)]
pub struct Governor {
    observer: Observer,
    /// The rungs under the floor; rung 0 while the limit alone suffices.
    ladder: Ladder,
    default_limit: Watts,
    floor: Watts,
    minimum: Watts,
    /// `None`: the original limit.
    limit: Option<Watts>,
    moved: Moment,
    raised: Option<Moment>,
    up_dwell: Duration,
    /// How many steps in a row went up (or, negative, down).
    trend: i32,
    /// How often in a row the direction turned.
    turns: u32,
    /// How far over the set point it lately went.
    swing: f64,
    /// The estimate's average, for the trim.
    average: f64,
    floored_since: Option<Moment>,
    seen: Option<Moment>,
}

impl Governor {
    pub fn new(power: PowerConstraints, floor: Watts, rungs: Rungs) -> Self {
        let default_limit = power.default;
        Self {
            observer: Observer::new(default_limit),
            ladder: Ladder::under_governor(rungs),
            default_limit,
            floor,
            minimum: power.min,
            limit: None,
            moved: Moment::START,
            raised: None,
            up_dwell: UP_DWELL,
            trend: 0,
            turns: 0,
            swing: 0.0,
            average: SET_POINT,
            floored_since: None,
            seen: None,
        }
    }

    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// The card's limits or the configuration changed; the estimate and what is held stay.
    pub fn replace(&mut self, new: &Self) {
        self.default_limit = new.default_limit;
        self.floor = new.floor;
        self.minimum = new.minimum;
        self.ladder.replace(new.ladder.rungs().clone());
    }

    /// Every tick, whatever the state: the estimate must be ready when it is needed.
    pub fn observe(&mut self, now: Moment, heat: &Heat, draw: Option<Watts>) {
        if let Some(draw) = draw {
            self.observer.observe(now, heat, draw);
        }
        let step = self
            .seen
            .replace(now)
            .map_or(1.0, |seen| now.since(seen).as_secs_f64());
        let excess = self.observer.level() - SET_POINT;
        self.swing = excess.max(self.swing * (1.0 - step / SWING_SECONDS));
        self.average += (self.observer.level() - self.average) * (step / TRIM_SECONDS).min(1.0);
    }

    pub fn targets(&self) -> Targets {
        let rung = self.ladder.targets();
        if self.ladder.is_released() || self.ladder.is_exhausted() {
            let limit = self.limit;
            Targets { limit, ..rung }
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
                self.move_to(now, Some(self.floor));
            }
            return;
        }
        if let Some(wanted) = self.wanted(now, drive) {
            let limit = self.on_card(drive);
            self.learn(now, wanted > self.share(limit));
            self.set(now, wanted, limit, drive.original);
        }
        if self.ladder.is_exhausted() {
            self.ease(now, heat);
        } else {
            self.escalate(now, heat, drive);
        }
    }

    /// One tick of giving back: half of the way, then half of the rest. True when all is back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat, original: Watts) -> bool {
        if !self.ladder.is_released() {
            if self.ladder.give_back(now, heat) {
                self.move_to(now, Some(self.floor));
            }
            return false;
        }
        let Some(limit) = self.limit else { return true };
        if now.since(self.moved) >= RECOVERY_STEP && !heat.at_set_point() {
            let gap = original.saturating_sub(limit);
            let near = self.default_limit.scaled(Ratio::new(STEP_UP_MAX));
            let halfway = Watts::from_milliwatts(limit.milliwatts() + gap.milliwatts() / 2);
            self.move_to(now, (gap > near).then_some(halfway));
        }
        false
    }

    pub fn reset(&mut self, now: Moment) {
        self.ladder.reset(now);
        self.move_to(now, None);
    }

    /// Holds at or under `limit`: a blind guard's cap, or what a dead guard left.
    pub fn descend_to(&mut self, now: Moment, limit: Option<Watts>) {
        if !self.ladder.is_released() {
            self.ladder.descend_to(now, limit);
        }
        let lower = [self.limit, limit].into_iter().flatten().min();
        if lower != self.limit {
            self.move_to(now, lower);
        }
    }

    /// Goes on from what a dead guard left: its limit, and the rungs' locks if it had come so far.
    pub fn adopt(&mut self, now: Moment, claim: &Claim) {
        let limit = claim.limit.map(|ours| ours.next);
        if claim.gpu_clock || claim.memory_clock || limit.is_some_and(|limit| limit < self.floor) {
            self.ladder.adopt(now, claim);
        }
        self.move_to(now, limit.map(|limit| limit.max(self.least())));
    }

    /// A plan of other knobs goes on from what is wanted on the card.
    pub fn resume(&mut self, now: Moment, wanted: &Targets) {
        let locked = wanted.gpu_clock.is_some() || wanted.memory_clock.is_some();
        let under = wanted.limit.is_some_and(|limit| limit < self.floor);
        if locked || under {
            self.ladder.resume(wanted);
        }
        self.move_to(now, wanted.limit);
    }

    /// To the coldest there is: where an emergency hands over.
    pub fn bottom(&mut self, now: Moment) {
        self.ladder.bottom(now);
        self.move_to(now, Some(self.minimum));
    }

    /// Nothing colder is left.
    pub fn is_exhausted(&self) -> bool {
        self.ladder.is_exhausted() && self.limit.is_some_and(|limit| limit <= self.minimum)
    }

    /// Nothing of the governor's holds the card back.
    pub const fn is_released(&self) -> bool {
        self.limit.is_none() && self.ladder.is_released()
    }

    /// The draw to allow from here on, as a share of the default limit, if it is to change.
    fn wanted(&self, now: Moment, drive: Drive) -> Option<f64> {
        let observer = &self.observer;
        let limit = self.share(self.on_card(drive));
        let binds = observer.draw() >= limit * BINDS;
        let power = if binds { limit } else { observer.draw() };
        let dwelt = now.since(self.moved);

        let set_point = self.set_point();
        let excess = observer.predict(power, AHEAD) - set_point;
        if excess > OVERSHOOTS {
            if excess < MILD && binds && observer.is_steady() {
                return (dwelt >= MILD_DWELL).then_some(self.trimmed(limit, excess));
            }
            let wanted = observer.power_for(set_point, AHEAD);
            let due = power - wanted > URGENT || dwelt >= DOWN_DWELL;
            return due.then_some(wanted);
        }
        if self.limit.is_none() || !binds {
            return None;
        }
        if dwelt >= self.up_dwell && observer.predict(limit, ROOM_AHEAD) < set_point - ROOM {
            let room = observer.power_for(set_point - OVERSHOOTS, ROOM_AHEAD) - limit;
            return Some(limit + room.min(STEP_UP_MAX));
        }
        let off = self.average - set_point;
        let rests = dwelt >= TRIM_DWELL * (1 + self.turns) && observer.is_steady();
        (rests && off.abs() > TRIM).then_some(self.trimmed(limit, off))
    }

    /// The limit that takes the resting temperature back by `off`, and further along a trend.
    fn trimmed(&self, limit: f64, off: f64) -> f64 {
        let along = if (off > 0.0) == (self.trend < 0) {
            self.trend.abs()
        } else {
            0
        };
        limit - Observer::power_per(off) * (1.0 + f64::from(along.min(TREND_MAX)) * 0.5)
    }

    fn set_point(&self) -> f64 {
        (SET_POINT - (self.swing - SWING_FREE).max(0.0)).max(SET_POINT_LOWEST)
    }

    /// A step up that had to be taken back wasn't worth it: the next one waits longer.
    fn learn(&mut self, now: Moment, up: bool) {
        let step = if up { 1 } else { -1 };
        let turned = self.trend.signum() != step;
        self.trend = if turned { step } else { self.trend + step };
        self.turns = if turned {
            (self.turns + 1).min(TURNS_MAX)
        } else {
            0
        };
        if up {
            if self.raised.is_some_and(|at| now.since(at) > REGRET * 2) {
                self.up_dwell = UP_DWELL;
            }
            self.raised = Some(now);
        } else if self.raised.take().is_some_and(|at| now.since(at) < REGRET) {
            self.up_dwell = (self.up_dwell * 2).min(UP_DWELL_MAX);
        }
    }

    /// The limit to plan from: what is on the card, as far as that is known.
    fn on_card(&self, drive: Drive) -> Watts {
        drive.limit.or(self.limit).unwrap_or(drive.original)
    }

    fn set(&mut self, now: Moment, share: f64, current: Watts, original: Watts) {
        // The floor ends the way down; it is no reason to go up.
        let least = self.least().min(current);
        let limit = self
            .default_limit
            .scaled(Ratio::new(share.clamp(0.0, 2.0)))
            .max(least);
        let limit = (limit < original).then_some(limit);
        if limit != self.limit {
            self.move_to(now, limit);
        }
    }

    /// The floor, and once all other rungs are taken the device's minimum.
    fn least(&self) -> Watts {
        if self.ladder.is_exhausted() {
            self.minimum
        } else {
            self.floor
        }
    }

    /// From a rung back to the limit alone, when the floor would do: the ladder itself rises only
    /// when the card is far too cool.
    fn leave_rungs(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.share(self.floor), REST_AHEAD);
        let dwelt = now.since(self.ladder.moved()) >= self.up_dwell;
        if foreseen < SET_POINT && dwelt && self.observer.is_steady() && !heat.at_set_point() {
            self.learn(now, true);
            self.ladder.reset(now);
        }
    }

    /// Back up the rungs, when the floor would do again.
    fn ease(&mut self, now: Moment, heat: &Heat) {
        let foreseen = self.observer.predict(self.share(self.floor), ROOM_AHEAD);
        let full = self.limit.is_none_or(|limit| limit >= self.floor);
        if full && foreseen < SET_POINT - ROOM && now.since(self.moved) >= self.up_dwell {
            self.ladder.rise(now, heat);
        }
    }

    /// To the rungs under the floor, when the limit at its floor, or no limit that bites, is not
    /// enough.
    fn escalate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        let current = self
            .on_card(drive)
            .min(self.limit.unwrap_or(drive.original));
        let foreseen = self
            .observer
            .predict(self.share(self.floor.min(current)), ROOM_AHEAD);
        let floored = current.saturating_sub(self.floor) <= GRAIN;
        if !floored || (foreseen <= SET_POINT + OVERSHOOTS && !heat.is_hot()) {
            self.floored_since = None;
            return;
        }
        let since = *self.floored_since.get_or_insert(now);
        // A limit that was that low before us has had its time.
        let dwelt = now.since(since) >= FLOOR_DWELL || self.limit.is_none();
        if dwelt {
            self.ladder.regulate(now, heat, drive);
        }
    }

    fn share(&self, limit: Watts) -> f64 {
        limit.as_f64() / self.default_limit.as_f64().max(1.0)
    }

    fn move_to(&mut self, now: Moment, limit: Option<Watts>) {
        self.limit = limit;
        self.moved = now;
        self.average = SET_POINT;
        self.floored_since = None;
    }
}

#[cfg(test)]
mod tests;
