//! A reading that falls faster than metal cools, without an explanation. A rise is always trusted,
//! however steep.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::{Celsius, Moment};

/// The fastest unexplained fall within a second. Recorded dies fall by up to 17 °C, before the
/// reading of the draw shows why; three degrees are noise. Later a card cools through its heat sink.
const AT_ONCE: f64 = 20.0;
const PER_SECOND: f64 = 1.0;

/// If the draw fell by this share of the card's scale, any fall is explained: a die loses up to 20
/// °C within a second after a load ends.
const EXPLAINS: f64 = 0.3;
/// The draw may have fallen this long ago: drivers read some sensors only every ten seconds.
const EXPLAINS_FOR: Duration = Duration::from_secs(30);
const REMEMBERED: usize = 32;

/// A fallen sensor is trusted again when it rises by as much between two reads.
const RETURNS: f64 = 8.0;

/// It is also trusted again when the card has drawn no more than this share of the draw at the
/// fall, for so long that it may really be that cool.
const RESTS: f64 = 0.35;
const RESTS_FOR: Duration = Duration::from_secs(60);

/// Below this share of its scale, a card is cool after that time, whatever it drew at the fall.
const IDLE: f64 = 0.2;

/// Without a draw, only time explains a fall.
const PER_SECOND_UNSEEN: f64 = 15.0;

/// The falls of one sensor.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fall {
    last: Option<(Moment, Celsius)>,
    fallen: Option<Fallen>,
}

#[derive(Clone, Copy, Debug)]
struct Fallen {
    /// The last trusted reading, and the draw at that time.
    at: Moment,
    from: Celsius,
    draw: Option<f64>,
    before: Celsius,
    rests_since: Option<Moment>,
}

/// The draw of the last half minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recent(VecDeque<(Moment, f64)>);

impl Recent {
    pub(crate) fn note(&mut self, now: Moment, average: Option<f64>) {
        let Some(average) = average else {
            self.0.clear();
            return;
        };
        // With a short poll interval, one of several readings is enough.
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

    /// The draw fell so much that it explains any fall of a reading.
    pub(crate) fn explains_falls(&self, draw: Option<f64>, scale: f64) -> bool {
        let highest = self.0.iter().map(|(_, draw)| *draw).reduce(f64::max);
        draw.zip(highest)
            .is_some_and(|(now, highest)| highest - now >= EXPLAINS * scale)
    }
}

impl Fall {
    pub(crate) const NEW: Self = Self {
        last: None,
        fallen: None,
    };

    /// Whether the reading has fallen without an explanation.
    pub(crate) fn is_fallen(
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
