//! A reading that stands still while the power moves: frozen.

use std::time::Duration;

use crate::units::{Celsius, Moment, Watts};

/// The draw is averaged over this, so that single odd samples don't count.
const DRAW_SECONDS: f64 = 5.0;

/// A draw this share of the card's scale over the one at which the reading stopped, and for this
/// long, moves a die by 3 °C within 5 s and a memory stack by 2 °C within half a minute.
const MOVES: f64 = 0.2;
const MOVES_FOR: Duration = Duration::from_secs(5);

/// So long a lower draw must last before a rise is measured from there: power meters show single
/// low samples of a busy card.
pub(super) const LATELY: Duration = Duration::from_secs(10);

/// The scale of a card that tells no default limit is its highest draw so far, and at least this:
/// chosen, because an idle card's draw moves by some watts.
const LEAST_SCALE: f64 = 50.0;

/// Of a card with a default limit it is the highest draw so far, too, and at least this share of the
/// limit: a tenth of that limit still moves a die by 1.5 °C within 5 s.
const LEAST_SHARE: f64 = 0.5;

/// The draw, averaged, and the scale to compare its moves with.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    default_limit: Option<f64>,
    highest: f64,
    average: Option<(Moment, f64)>,
}

impl Draw {
    pub(super) fn new(default_limit: Option<Watts>) -> Self {
        Self {
            default_limit: default_limit.map(Watts::as_f64),
            highest: 0.0,
            average: None,
        }
    }

    /// Another driver may tell another limit.
    pub(super) fn set_default_limit(&mut self, limit: Option<Watts>) {
        self.default_limit = limit.map(Watts::as_f64);
    }

    pub(super) fn scale(&self) -> f64 {
        let highest = self.highest.max(LEAST_SCALE);
        let default = self.default_limit.filter(|it| *it > 0.0);
        default.map_or(highest, |limit| highest.clamp(LEAST_SHARE * limit, limit))
    }

    /// What comes now is another measure.
    pub(super) fn restart(&mut self) {
        self.average = None;
    }

    /// The average with this reading in it; `None` without one.
    pub(super) fn average(&mut self, now: Moment, draw: Option<Watts>) -> Option<f64> {
        let Some(draw) = draw.map(Watts::as_f64) else {
            self.average = None;
            return None;
        };
        let average = self.average.map_or(draw, |(at, was)| {
            let step = now.since(at).as_secs_f64();
            was + (draw - was) * (step / DRAW_SECONDS).min(1.0)
        });
        self.highest = self.highest.max(average);
        self.average = Some((now, average));
        Some(average)
    }
}

/// One sensor standing still.
#[derive(Clone, Debug)]
pub(super) struct Still {
    long: Duration,
    last: Option<Celsius>,
    /// When it last moved, and the highest draw until then, within [`LATELY`].
    since: Option<(Moment, f64)>,
    /// Since when the draw has been well over that one.
    over_since: Option<Moment>,
    /// The highest draw since then, over [`LATELY`]: what a fall has come to, if it lasts.
    window: Option<(Moment, f64)>,
    frozen: bool,
}

impl Still {
    /// `long`: so long a healthy sensor of that kind may stand still under a moved draw.
    pub(super) const fn new(long: Duration) -> Self {
        Self {
            long,
            last: None,
            since: None,
            over_since: None,
            window: None,
            frozen: false,
        }
    }

    /// What stands still of its own accord, or can't be told, isn't frozen.
    pub(super) fn reset(&mut self) {
        *self = Self {
            last: self.last,
            ..Self::new(self.long)
        };
    }

    /// Whether the sensor that says `value` at a draw of `average` is frozen; `lately`: the highest
    /// within [`LATELY`].
    pub(super) fn is_frozen(
        &mut self,
        now: Moment,
        value: Celsius,
        average: f64,
        lately: f64,
        scale: f64,
    ) -> bool {
        let same = self.last.replace(value) == Some(value);
        let Some((since, level)) = self.since.filter(|_| same) else {
            self.since = Some((now, lately));
            self.over_since = None;
            self.window = None;
            self.frozen = false;
            return false;
        };
        let level = self.sunk(now, average, since, level);
        if average > level + MOVES * scale {
            let over = *self.over_since.get_or_insert(now);
            let lasts = now.since(over) >= MOVES_FOR && now.since(since) >= self.long;
            // Once found out, it is frozen until it moves.
            self.frozen |= lasts;
        } else {
            self.over_since = None;
        }
        self.frozen
    }

    /// A fall alone is how a card is regulated at a constant temperature; but what rises again after
    /// one must show.
    fn sunk(&mut self, now: Moment, average: f64, since: Moment, level: f64) -> f64 {
        let (begun, highest) = self.window.map_or((now, average), |(begun, highest)| {
            (begun, highest.max(average))
        });
        self.window = Some((begun, highest));
        if now.since(begun) < LATELY {
            return level;
        }
        self.window = None;
        let level = level.min(highest);
        self.since = Some((since, level));
        level
    }
}
