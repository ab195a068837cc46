//! A reading that falls faster than metal cools, with nothing to explain it. A rise, however steep,
//! is always believed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{Celsius, Moment};

/// The fastest unexplained fall within a second; later a card cools through its heat sink.
const AT_ONCE: f64 = 15.0;
const PER_SECOND: f64 = 1.0;

/// A draw that fell by this share of the card's scale explains any fall: dies lose up to 20 °C
/// within a second of a load's end.
const EXPLAINS: f64 = 0.3;
/// It may have fallen this long ago: some sensors are read by the driver every ten seconds.
const EXPLAINS_FOR: Duration = Duration::from_secs(30);
const REMEMBERED: usize = 32;

/// A fallen sensor is back when it rises by as much between two reads.
const RETURNS: f64 = 8.0;

/// Or when the card has drawn no more than this share of the draw at the fall for so long that it
/// may really be that cool.
const RESTS: f64 = 0.35;
const RESTS_FOR: Duration = Duration::from_secs(60);

/// Under this share of its scale a card is cool after that time, whatever it drew at the fall.
const IDLE: f64 = 0.2;

/// Without a draw nothing explains a fall but time.
const PER_SECOND_UNSEEN: f64 = 15.0;

/// One sensor's falls.
#[derive(Clone, Debug, Default)]
pub(super) struct Fall {
    last: Option<(Moment, Celsius)>,
    fallen: Option<Fallen>,
}

#[derive(Clone, Copy, Debug)]
struct Fallen {
    /// The last believed reading, and the draw then.
    at: Moment,
    from: Celsius,
    draw: Option<f64>,
    before: Celsius,
    rests_since: Option<Moment>,
}

/// The draw of the last half minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent(VecDeque<(Moment, f64)>);

impl Recent {
    pub(super) fn note(&mut self, now: Moment, average: Option<f64>) {
        let Some(average) = average else {
            self.0.clear();
            return;
        };
        // At a fast poll one of several readings is enough.
        let gap = EXPLAINS_FOR.as_secs_f64() / REMEMBERED as f64;
        let due = |(at, _): &(Moment, f64)| now.since(*at).as_secs_f64() >= gap * 0.9;
        if self.0.back().is_none_or(due) {
            self.0.push_back((now, average));
        }
        let old = |(at, _): &(Moment, f64)| now.since(*at) > EXPLAINS_FOR;
        while self.0.front().is_some_and(old) {
            self.0.pop_front();
        }
    }

    /// The highest within so long.
    pub(super) fn highest(&self, now: Moment, within: Duration) -> Option<f64> {
        let recent = |(at, _): &&(Moment, f64)| now.since(*at) <= within;
        let draws = self.0.iter().filter(recent).map(|(_, draw)| *draw);
        draws.reduce(f64::max)
    }

    /// The draw fell by so much that any reading may have fallen with it.
    pub(super) fn explains_falls(&self, draw: Option<f64>, scale: f64) -> bool {
        let highest = self.0.iter().map(|(_, draw)| *draw).reduce(f64::max);
        draw.zip(highest)
            .is_some_and(|(now, highest)| highest - now >= EXPLAINS * scale)
    }
}

impl Fall {
    pub(super) const NEW: Self = Self {
        last: None,
        fallen: None,
    };

    /// Whether the reading has fallen and isn't to be believed.
    pub(super) fn is_fallen(
        &mut self,
        now: Moment,
        value: Celsius,
        draw: Option<f64>,
        explained: bool,
        scale: f64,
    ) -> bool {
        if let Some(fallen) = &mut self.fallen {
            if fallen.holds(now, value, draw, scale) {
                return true;
            }
            self.fallen = None;
            self.last = Some((now, value));
            return false;
        }
        if let Some((at, from)) = self.last {
            let seconds = now.since(at).as_secs_f64().max(1.0);
            let later = if draw.is_some() {
                PER_SECOND
            } else {
                PER_SECOND_UNSEEN
            };
            let fell = (from - value).degrees();
            if fell > AT_ONCE + later * (seconds - 1.0) && !explained {
                self.fallen = Some(Fallen {
                    at,
                    from,
                    draw,
                    before: value,
                    rests_since: None,
                });
                return true;
            }
        }
        self.last = Some((now, value));
        false
    }
}

impl Fallen {
    fn holds(&mut self, now: Moment, value: Celsius, draw: Option<f64>, scale: f64) -> bool {
        let rose = (value - self.before).degrees();
        self.before = value;
        let near = (self.from - value).degrees() <= AT_ONCE;
        if near || rose >= RETURNS {
            return false;
        }
        let Some((draw, then)) = draw.zip(self.draw) else {
            let seconds = now.since(self.at).as_secs_f64();
            return (self.from - value).degrees() > PER_SECOND_UNSEEN * seconds;
        };
        if draw > (RESTS * then).max(IDLE * scale) {
            self.rests_since = None;
            return true;
        }
        let since = *self.rests_since.get_or_insert(now);
        now.since(since) < RESTS_FOR
    }
}
