//! A frozen sensor: its reading stands still while the power moves. A fan that holds its card at a
//! constant temperature is healthy, since the die answers to its power before any fan does. So it
//! counts what the reading did within seconds of a lasting move of the draw.

use std::mem;
use std::time::Duration;

use crate::units::{Celsius, Moment, Ratio};

use super::meter::Meter;
use super::moves::{Move, WITHIN, lasting};
use super::ramp::Ramp;

/// A reading that changed a moment ago may have answered a move that the draw shows since: some cards
/// tell the mean of the last second, and three more are part of what it moved from.
const ANSWERED_WITHIN: f64 = 4.0;

/// It has, if it changed in the move's direction by so many degrees for a move of the whole scale, and
/// more than it did before. Recorded dies jump by 6 to 20 °C within a second; the rest is rounding.
const ANSWERS: f64 = 5.0;

/// Changes within this time are one, in seconds, from the reading before them: the jump of a die, however
/// slow. Over 2000 random cards, 2 s took 13 healthy ones for still, 4 s two, and 6 s none.
const ONE_CHANGE: f64 = 6.0;

/// After this long without an answer, in seconds, a doubted sensor counts as frozen.
const FROZEN_AFTER: f64 = 35.0;

/// A move of this share of the card's scale needs no more time: it moves the coolest of the recorded
/// cards by 4 °C within 20 s.
const PLAIN: f64 = 0.4;

/// A fan that goes by the temperature, and ran away by this share while the reading stood still, is a
/// second sign. Of the recorded ones, none went by more than 0.04 after the first ten seconds.
const FAN_RUNS: f64 = 0.15;
const FAN_FOLLOWS: f64 = 10.0;

/// A card that holds itself still again within this time, in seconds, still holds itself: as long as a move
/// of the hold before can be found.
const ONE_HOLD: f64 = WITHIN;

/// A move is found to begin up to this long before it did, in seconds.
const EARLY: f64 = 2.5;

/// With a short poll interval, one look in this time is enough, in seconds.
const LOOKS_APART: f64 = 0.9;

/// What is known of a reading that stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stillness {
    /// It moves, or needn't.
    Fine,
    /// It should have moved by now. Nothing may be raised on it.
    Doubtful,
    /// It doesn't follow the power.
    Frozen,
}

/// Whether one sensor stands still.
#[derive(Clone, Debug)]
pub(crate) struct Still {
    /// How long a healthy sensor of this kind may stand still after a move, in seconds.
    long: f64,
    last: Option<Celsius>,
    /// Since when the reading has stood still.
    since: Option<f64>,
    /// By how many degrees it changed then, from which reading on, and its ramp until that.
    change: f64,
    changed_from: f64,
    ramp: f64,
    recent: Ramp,
    /// The time of the last reading, and of the last look at the draw.
    seen: f64,
    looked: f64,
    /// The first lasting move of the draw since then.
    moved: Option<Move>,
    /// The fans' speed, once they had time to follow the last change of the reading.
    fans: Option<Ratio>,
    /// From when until when the card last held itself at its reading.
    own_hold: Option<(f64, f64)>,
    frozen: bool,
}

/// The values that a still reading is compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signs<'a> {
    pub(crate) meter: &'a Meter,
    /// The same, corrected by the card's count of its energy. A move must show in both: readings may
    /// miss what is between them, and a count may come late.
    pub(crate) counted: Option<&'a Meter>,
    /// A card's full draw, in watts.
    pub(crate) scale: f64,
    /// The speed of the fans that go by the temperature.
    pub(crate) fans: Option<Ratio>,
    /// The card slows itself down to stay at this reading: the draw moves, and the reading needn't.
    pub(crate) holds_itself: bool,
}

impl Signs<'_> {
    fn lasting(&self, now: f64, since: f64) -> Option<Move> {
        let found = lasting(self.meter, now, since, self.scale)?;
        let Some(counted) = self.counted else {
            return Some(found);
        };
        let counted = lasting(counted, now, since, self.scale)?;
        (found.share * counted.share > 0.0).then_some(found)
    }
}

impl Still {
    pub(crate) const fn new(long: Duration) -> Self {
        Self {
            long: long.as_secs() as f64,
            last: None,
            since: None,
            change: 0.0,
            changed_from: f64::NEG_INFINITY,
            ramp: 0.0,
            recent: Ramp::new(),
            seen: f64::NEG_INFINITY,
            looked: f64::NEG_INFINITY,
            moved: None,
            fans: None,
            own_hold: None,
            frozen: false,
        }
    }

    /// A reading that stands still for another reason, or is missing, isn't frozen. One that was found
    /// frozen is, until it moves.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            long: self.long,
            last: self.last,
            seen: self.seen,
            recent: self.recent,
            own_hold: self.own_hold,
            frozen: self.frozen,
            ..Self::new(Duration::ZERO)
        };
    }

    /// A look that compares the reading with nothing but itself.
    pub(crate) fn look_alone(&mut self, value: Celsius) -> Stillness {
        self.frozen &= self.last.replace(value) == Some(value);
        self.reset();
        self.known()
    }

    const fn known(&self) -> Stillness {
        if self.frozen {
            Stillness::Frozen
        } else {
            Stillness::Fine
        }
    }

    pub(crate) fn look(&mut self, now: Moment, value: Celsius, signs: Signs<'_>) -> Stillness {
        let now = now.since_start().as_secs_f64();
        let change = self.last.replace(value).map(|was| (value - was).degrees());
        let before = mem::replace(&mut self.seen, now);
        let ramp = self.recent.per_second();
        self.recent.note(now, value);
        if signs.holds_itself {
            let on = self.own_hold.filter(|(_, until)| now - until <= ONE_HOLD);
            self.own_hold = Some((on.map_or(before.max(0.0), |(from, _)| from), now));
        }
        let Some(since) = self.since.filter(|_| change == Some(0.0)) else {
            self.changed(now, change.unwrap_or_default(), before, ramp);
            return self.known();
        };
        if now - since >= FAN_FOLLOWS {
            self.fans = self.fans.or(signs.fans);
        }
        if now - self.looked >= LOOKS_APART {
            self.looked = now;
            let found = signs.lasting(now, since);
            let needs = |it: &Move| !self.is_answered(*it) && !self.is_own(*it);
            self.note(found.filter(needs));
        }
        let Some(moved) = self.moved else {
            return self.known();
        };
        let unanswered = now - moved.began;
        let certain = moved.share.abs() >= PLAIN || self.fan_ran(signs.fans);
        // Once detected, it counts as frozen until it moves.
        self.frozen |= unanswered >= FROZEN_AFTER || (certain && unanswered >= self.long);
        match unanswered >= self.long {
            _ if self.frozen => Stillness::Frozen,
            true => Stillness::Doubtful,
            false => Stillness::Fine,
        }
    }

    fn changed(&mut self, now: f64, change: f64, before: f64, ramp: f64) {
        let same_way = self.change * change > 0.0;
        let goes_on = same_way && now - self.changed_from <= ONE_CHANGE;
        let (so_far, from, ramp) = if goes_on {
            (self.change, self.changed_from, self.ramp)
        } else {
            (0.0, before, ramp)
        };
        self.reset();
        self.frozen &= change == 0.0;
        self.since = Some(now);
        self.change = so_far + change;
        self.changed_from = from;
        self.ramp = ramp;
    }

    /// The last change of the reading came with this move, and the ramp before it doesn't explain it.
    fn is_answered(&self, found: Move) -> bool {
        let Some(since) = self.since.filter(|it| found.left - it < ANSWERED_WITHIN) else {
            return false;
        };
        let follows = self.change * found.share > 0.0;
        // A ramp the other way explains nothing: fans that arrive late end it by themselves.
        let explained = if self.ramp * self.change > 0.0 {
            self.ramp * (since - self.changed_from)
        } else {
            0.0
        };
        let jump = self.change - explained;
        follows && jump * found.share.signum() >= ANSWERS * found.share.abs()
    }

    /// The card made this move itself: down as it began to hold itself, or up again as it ended. What the
    /// draw did before, its reading should have shown.
    fn is_own(&self, found: Move) -> bool {
        let early = if found.share < 0.0 { EARLY } else { 0.0 };
        self.own_hold.is_some_and(|(from, until)| {
            (from - early..=until + ANSWERED_WITHIN).contains(&found.left)
        })
    }

    /// The first move counts, and the largest of all.
    fn note(&mut self, found: Option<Move>) {
        self.moved = match (self.moved, found) {
            (Some(first), Some(found)) if found.share.abs() > first.share.abs() => Some(Move {
                share: found.share,
                ..first
            }),
            (first, found) => first.or(found),
        };
    }

    fn fan_ran(&self, fans: Option<Ratio>) -> bool {
        let ran = |(then, now): (Ratio, Ratio)| (now.value() - then.value()).abs() >= FAN_RUNS;
        self.fans.zip(fans).is_some_and(ran)
    }
}
