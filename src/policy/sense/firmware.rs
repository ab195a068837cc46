//! What the card's own firmware does about heat: the target that it holds by itself, and when it
//! slows the card down while the guard holds nothing.
//!
//! A card is believed by what it does. A target that it runs above, at full clocks and without
//! slowing down, isn't the temperature at which it acts, whatever the driver says.

use std::time::Duration;

use crate::device::{Facts, Reading, SlowdownReasons};
use crate::units::{Celsius, Moment, Ratio};

use super::trips::{Trips, told_target};

/// A slowdown counts once it has lasted this long in all: drivers set the bit for single readings.
const BEGINS: Duration = Duration::from_secs(5);

/// It is over after this long without. A bit that flickers around the target is one slowdown.
const QUIET: Duration = Duration::from_secs(60);

/// Two ticks further apart than this don't tell what was between them.
pub(crate) const STEP: Duration = Duration::from_secs(20);

/// This far above its target a card surely is above it: readings are whole degrees.
const ABOVE: Celsius = Celsius::new(2.0);

/// A card that has run above its target for this long, and hasn't slowed down, ignores it. Chosen: a
/// firmware's own loop takes seconds, and its fans a minute.
const IGNORES: Duration = Duration::from_secs(180);

/// Above this share of the highest clock, a card works and isn't held back by its firmware.
const WORKS: f64 = 0.5;

/// The firmware's part on one tick.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct FirmwareReport {
    /// The card acts before the guard does, at this temperature of its core.
    pub acts_first: Option<Celsius>,
    /// The card says this target, and doesn't keep to it.
    pub ignores: Option<Celsius>,
    /// The card slows itself down for heat, and the guard holds nothing.
    pub slowdown: Option<OwnSlowdown>,
    /// It began or ended on this tick.
    pub turn: Option<SlowdownTurn>,
}

/// A slowdown by the card itself, so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnSlowdown {
    /// From its first sign to its last one.
    pub lasts: Duration,
    /// Of the core.
    pub hottest: Option<Celsius>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlowdownTurn {
    Began,
    Ended(OwnSlowdown),
}

/// The circumstances of a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) reading: &'a Reading,
    pub(crate) facts: &'a Facts,
    /// The trips in force.
    pub(crate) trips: Option<Trips>,
    /// Something of the guard's is on the card.
    pub(crate) held: bool,
}

/// The memory of one card.
#[derive(Clone, Debug, Default)]
pub(crate) struct Firmware {
    last: Option<Moment>,
    signs: Option<Signs>,
    /// The slowdown has lasted long enough to be one.
    is_slowed: bool,
    /// Since when the card has been above its target at work, and not slowed down.
    above: Option<Moment>,
    /// The target that the card doesn't keep to.
    ignored: Option<Celsius>,
}

/// Signs of a slowdown that aren't further apart than [`QUIET`].
#[derive(Clone, Copy, Debug)]
struct Signs {
    first: Moment,
    last: Moment,
    /// How long there was one, in all.
    active: Duration,
    hottest: Option<Celsius>,
}

impl Firmware {
    /// The card was opened again, perhaps by another driver, which may keep to the target.
    pub(crate) fn reopened(&mut self) {
        self.ignored = None;
        self.above = None;
    }

    pub(crate) fn note(&mut self, now: Moment, around: &Around<'_>) -> FirmwareReport {
        let step = self.last.map_or(Duration::ZERO, |last| now.since(last));
        let step = if step <= STEP { step } else { Duration::ZERO };
        self.last = Some(now);
        let target = told_target(around.facts);
        let thermal = around.reading.slowdown_reasons.ok();
        let thermal = thermal.map(SlowdownReasons::is_thermal);
        self.compare(now, target, thermal, around);
        let turn = self.slowdown(now, step, thermal == Some(true), around);
        let ignores = target.filter(|target| self.ignored == Some(*target));
        let alert = around.trips.map(|trips| trips.alert);
        let before = |target: &Celsius| alert.is_some_and(|alert| *target < alert);
        FirmwareReport {
            acts_first: target.filter(before).filter(|_| ignores.is_none()),
            ignores,
            slowdown: self.signs.filter(|_| self.is_slowed).map(Signs::so_far),
            turn,
        }
    }

    /// Compares the target with what the card does.
    fn compare(
        &mut self,
        now: Moment,
        target: Option<Celsius>,
        thermal: Option<bool>,
        around: &Around<'_>,
    ) {
        let (Some(target), Some(thermal), Ok(core)) = (target, thermal, around.reading.core) else {
            self.above = None;
            return;
        };
        // It slows down at its target after all.
        if thermal && core < target + ABOVE {
            self.ignored = None;
        }
        // What the guard holds back doesn't show what the firmware would do.
        if thermal || around.held || core < target + ABOVE || !works(around) {
            self.above = None;
            return;
        }
        let since = *self.above.get_or_insert(now);
        if now.since(since) >= IGNORES {
            self.ignored = Some(target);
        }
    }

    fn slowdown(
        &mut self,
        now: Moment,
        step: Duration,
        is_sign: bool,
        around: &Around<'_>,
    ) -> Option<SlowdownTurn> {
        let core = around.reading.core.ok();
        if is_sign && !around.held {
            let signs = self.signs.get_or_insert(Signs {
                first: now,
                last: now,
                active: Duration::ZERO,
                hottest: core,
            });
            signs.last = now;
            // However slowly the guard polls, one sign alone is none.
            signs.active += step.min(BEGINS / 2);
        }
        let signs = self.signs.as_mut()?;
        if around.held || now.since(signs.last) >= QUIET {
            let ended = signs.so_far();
            self.signs = None;
            let was_one = std::mem::replace(&mut self.is_slowed, false);
            return was_one.then_some(SlowdownTurn::Ended(ended));
        }
        signs.hottest = match (signs.hottest, core) {
            (Some(hottest), Some(core)) => Some(hottest.max(core)),
            (hottest, core) => hottest.or(core),
        };
        let is_one = signs.active >= BEGINS;
        let was_one = std::mem::replace(&mut self.is_slowed, is_one);
        (is_one && !was_one).then_some(SlowdownTurn::Began)
    }
}

impl Signs {
    fn so_far(self) -> OwnSlowdown {
        OwnSlowdown {
            lasts: self.last.since(self.first),
            hottest: self.hottest,
        }
    }
}

/// The card runs near its full clock. One without a known clock counts as working if its kernels run.
fn works(around: &Around<'_>) -> bool {
    let share = Ratio::new(WORKS);
    match (around.reading.gpu_clock, around.facts.gpu_clock_max) {
        (Ok(clock), Some(max)) => clock >= max.scaled(share),
        _ => around.reading.utilization.is_ok_and(|busy| busy >= share),
    }
}

#[cfg(test)]
mod tests;
