//! A reading that stands still while the power moves: frozen.

use std::time::Duration;

use crate::units::{Celsius, Moment, Watts};

/// The draw is averaged over this, so that single odd samples don't count.
const DRAW_SECONDS: f64 = 5.0;

/// A draw that has moved by this share of the card's scale since the reading stopped, and for this
/// long, moves a die by 3 °C within 5 s and a memory stack by 2 °C within half a minute.
const MOVES: f64 = 0.2;
const MOVES_FOR: Duration = Duration::from_secs(5);

/// A move down, or up again, that is older than about this says nothing: a governor moves the draw
/// by as much over minutes, just to keep the reading where it is.
const FORGETS_SECONDS: f64 = 60.0;

/// The scale of a card that tells no default limit is its highest draw so far, and at least this:
/// chosen, because an idle card's draw moves by some watts.
const LEAST_SCALE: f64 = 50.0;

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
        self.default_limit.filter(|it| *it > 0.0).unwrap_or(highest)
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
    /// When it last moved, and the draw then.
    since: Option<(Moment, f64)>,
    /// The lowest and the highest draw of the last minute or so, since then.
    range: (f64, f64),
    seen: Moment,
    /// Since when the draw has been well away from those.
    away_since: Option<Moment>,
    frozen: bool,
}

impl Still {
    /// `long`: so long a healthy sensor of that kind may stand still under a moved draw.
    pub(super) const fn new(long: Duration) -> Self {
        Self {
            long,
            last: None,
            since: None,
            range: (0.0, 0.0),
            seen: Moment::START,
            away_since: None,
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

    /// Whether the sensor that says `value` at a draw of `average` is frozen.
    pub(super) fn is_frozen(
        &mut self,
        now: Moment,
        value: Celsius,
        average: f64,
        scale: f64,
    ) -> bool {
        let same = self.last.replace(value) == Some(value);
        let Some((since, level)) = self.since.filter(|_| same) else {
            *self = Self {
                last: self.last,
                since: Some((now, average)),
                range: (average, average),
                seen: now,
                ..Self::new(self.long)
            };
            return false;
        };
        let step = now.since(std::mem::replace(&mut self.seen, now));
        let share = (step.as_secs_f64() / FORGETS_SECONDS).min(1.0);
        let fades = |end: f64| end + (average - end) * share;
        let (low, high) = (fades(self.range.0), fades(self.range.1));
        self.range = (low.min(average), high.max(average));
        let moves = MOVES * scale;
        let up = average > level.min(low) + moves;
        let down = average < high - moves;
        if up || down {
            let away = *self.away_since.get_or_insert(now);
            let lasts = now.since(away) >= MOVES_FOR && now.since(since) >= self.long;
            // Once found out, it is frozen until it moves.
            self.frozen |= lasts;
        } else {
            self.away_since = None;
        }
        self.frozen
    }
}
