//! What a throttle cost, and what doing nothing would have cost.
//!
//! The work that was lost shows in the clock, against the clock before the throttle under the same load.
//! That is exact for work that follows the clock, and too much for work that waits for memory.
//!
//! What would have happened without a guard is played by a [`twin`](super::twin) beside the card.

use std::time::Duration;

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::curve::Curve;
use super::twin::{Beside, Like, Twin};
use crate::policy::cooling::fitting::Fit;

/// The part of the work that follows the clock in the worst case: the decoding of a language model.
const FOLLOWS_CLOCK: f64 = 0.3;

/// Clock and draw of a free card are smoothed. A load that has just come shows at once: it may be the
/// reason for the throttle.
const RISE_SECONDS: f64 = 1.0;
const FALL_SECONDS: f64 = 10.0;

/// After the begin of a throttle, the load is the one before for about this long.
const SAME_LOAD_SECONDS: f64 = 120.0;

/// At this share of its free clock, a card that is held draws as if it were free.
const NEARLY_FREE: f64 = 0.985;

/// Readings are whole degrees, and jump between two.
const MARGIN_SECONDS: f64 = 5.0;

/// What would have been lost isn't told if the estimate is worse than this, half of its range.
const UNCERTAIN: f64 = 0.05;

/// While sensors are silent, the twins can't be played. What they tell must be nearly all of it.
const PLAYED_LEAST: f64 = 0.95;

/// A card's own slowdown goes down faster than it comes back, and loses about this share by that.
const HUNTING: f64 = 0.04;

/// Nothing that works draws less than this share of what it wants.
const DRAW_LEAST: f64 = 0.05;

/// A longer gap in the readings counts as no more than this.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Whether the guard holds the card back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    Free,
    Held,
}

/// A card on one tick.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    pub at: Moment,
    pub hold: Hold,
    /// Something runs on it.
    pub busy: bool,
    pub clock: Option<Megahertz>,
    pub draw: Option<Watts>,
    pub core: Option<Celsius>,
    /// To the temperature at which the card slows itself down.
    pub margin: Option<Celsius>,
    /// The card slows itself down now.
    pub slows_itself: bool,
    /// The limit without the guard.
    pub limit: Option<Watts>,
}

/// Work, in seconds at the full clock.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    pub lost: Duration,
    /// It would have been lost without the guard.
    pub lost_unguarded: Duration,
}

/// A whole throttle, or the present one so far. Shares are of the work that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Receipt {
    /// Seconds with work to do.
    pub asked: f64,
    /// The share of the work that was lost if all of it follows the clock: the most that it can be.
    pub lost: Ratio,
    /// If as little of it follows the clock as of any known load.
    pub lost_least: Ratio,
    /// `None`: too little is known of the card.
    pub unguarded: Option<Unguarded>,
}

/// What the card's own slowdown would have taken without the guard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Unguarded {
    /// If all of the work follows the clock.
    pub lost: Ratio,
    /// The range of it.
    pub least: Ratio,
    pub most: Ratio,
    /// The core would have been this hot.
    pub hottest: Option<Celsius>,
}

/// The running account of one card.
#[derive(Clone, Debug)]
pub struct Ledger {
    at: Option<Moment>,
    /// Clock in MHz and draw in watts, while the card was free and busy.
    free: Option<[f64; 2]>,
    curve: Curve,
    held: bool,
    asked: f64,
    lost: f64,
    /// To the temperature at which the card slows itself down, smoothed.
    margin: Option<f64>,
    twins: [Twin; Like::ALL.len()],
    /// The work that each of them has lost. `None`: there was nothing to play them with.
    twins_lost: Option<[f64; Like::ALL.len()]>,
    /// For how long they had work to do.
    played: f64,
    hottest: Option<f64>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            at: None,
            free: None,
            curve: Curve::default(),
            held: false,
            asked: 0.0,
            lost: 0.0,
            margin: None,
            twins: Like::ALL.map(Twin::new),
            twins_lost: None,
            played: 0.0,
            hottest: None,
        }
    }
}

impl Ledger {
    /// Takes a tick. Returns what was lost on it.
    pub(in crate::policy::cooling) fn take(&mut self, turn: &Turn, fit: Option<&Fit>) -> Work {
        let step = self.at.replace(turn.at).map(|before| turn.at.since(before));
        let step = step.unwrap_or_default().min(STEP_MAX).as_secs_f64();
        let held = turn.hold == Hold::Held;
        if held && !self.held {
            self.begin();
        }
        self.held = held;
        if !held {
            self.learn_free(turn, step);
            return Work::default();
        }
        let before = (self.lost, self.twin_lost());
        if let Some(speed) = self.speed(turn, step) {
            if turn.busy {
                self.asked += step;
                self.lost += (1.0 - speed) * step;
            }
            self.play(turn, speed, step, fit);
        }
        Work {
            lost: seconds(self.lost - before.0),
            lost_unguarded: seconds(self.twin_lost() - before.1),
        }
    }

    /// The present throttle so far, or the last one. `None`: nothing worked on the card.
    pub fn receipt(&self) -> Option<Receipt> {
        let share = |lost: f64| Ratio::new(lost / self.asked);
        (self.asked > 0.0).then(|| Receipt {
            asked: self.asked,
            lost: share(self.lost),
            lost_least: share(self.lost * FOLLOWS_CLOCK),
            unguarded: self.unguarded(),
        })
    }

    fn unguarded(&self) -> Option<Unguarded> {
        let share = |lost: f64| Ratio::new(lost / self.asked);
        let [fit, better, worse] = self.twins_lost?;
        let (least, most) = (better.min(fit), worse.max(fit));
        let known = most - least <= 2.0 * UNCERTAIN * self.asked
            && self.played >= PLAYED_LEAST * self.asked;
        let hunts = if worse > 0.0 { HUNTING } else { 0.0 };
        known.then(|| Unguarded {
            lost: share(fit),
            least: share(least * FOLLOWS_CLOCK),
            most: share(most + hunts * self.asked),
            hottest: self.hottest.map(Celsius::new),
        })
    }

    fn twin_lost(&self) -> f64 {
        self.twins_lost.map_or(0.0, |[fit, ..]| fit)
    }

    fn begin(&mut self) {
        *self = Self {
            at: self.at,
            free: self.free,
            curve: self.curve,
            ..Self::default()
        };
    }

    fn learn_free(&mut self, turn: &Turn, step: f64) {
        let (Some(clock), Some(draw)) = (turn.clock, turn.draw) else {
            return;
        };
        if !turn.busy || turn.slows_itself {
            return;
        }
        let (clock, draw) = (f64::from(clock.megahertz()), draw.as_f64());
        let [its_clock, its_draw] = self.free.get_or_insert([clock, draw]);
        follow(its_clock, clock, step);
        follow(its_draw, draw, step);
    }

    /// The clock, as a share of the free one. `None`: a guard that was started in mid-throttle doesn't
    /// know the free one.
    fn speed(&mut self, turn: &Turn, step: f64) -> Option<f64> {
        let (Some([free, full]), Some(clock)) = (&mut self.free, turn.clock) else {
            return None;
        };
        let speed = (f64::from(clock.megahertz()) / free.max(1.0)).clamp(0.0, 1.0);
        if let Some(draw) = turn.draw.filter(|_| turn.busy) {
            let draw = draw.as_f64();
            if speed < NEARLY_FREE && self.asked < SAME_LOAD_SECONDS {
                self.curve.learn(speed, draw / full.max(1.0), step);
            } else if speed >= NEARLY_FREE && draw > *full {
                follow(full, draw, step);
            }
        }
        Some(speed)
    }

    fn play(&mut self, turn: &Turn, speed: f64, step: f64, fit: Option<&Fit>) {
        let (Some(fit), Some(draw), Some(margin)) = (fit, turn.draw, turn.margin) else {
            return;
        };
        let draw = draw.as_f64();
        let card = Beside {
            fit,
            curve: &self.curve,
            draw,
            wanted: (draw / self.curve.draw(speed).max(DRAW_LEAST)).max(1.0),
            limit: turn.limit.map_or(f64::INFINITY, Watts::as_f64),
            margin: smoothed(&mut self.margin, margin.degrees(), step),
        };
        let lost = self.twins_lost.get_or_insert_default();
        for (twin, lost) in self.twins.iter_mut().zip(lost) {
            if turn.busy {
                *lost += (1.0 - twin.pass(&card, step)) * step;
            } else {
                twin.rest(step);
            }
        }
        self.played += if turn.busy { step } else { 0.0 };
        if let Some(core) = turn.core {
            let its = core.degrees() + self.twins[0].rise(fit);
            self.hottest = Some(self.hottest.map_or(its, |hottest| hottest.max(its)));
        }
    }
}

/// Moves a free card's `value` towards `newest`.
fn follow(value: &mut f64, newest: f64, step: f64) {
    let rises = newest > *value;
    let seconds = if rises { RISE_SECONDS } else { FALL_SECONDS };
    *value += (newest - *value) * (1.0 - (-step / seconds).exp());
}

/// Moves `value` towards `newest`.
fn smoothed(value: &mut Option<f64>, newest: f64, step: f64) -> f64 {
    let before = value.unwrap_or(newest);
    let share = 1.0 - (-step / MARGIN_SECONDS).exp();
    *value.insert(before + (newest - before) * share)
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests;
