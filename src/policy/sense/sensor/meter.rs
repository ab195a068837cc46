//! The energy that a card has used in the last minutes, so that its draw can be averaged
//! over any part of that time. A single reading of the draw says little: some cards tell a momentary
//! value, with short dips that heat nothing.
//!
//! Where the card counts its energy, the count corrects the readings: it also has the draw between
//! them. A count that doesn't fit the readings over minutes is ignored.

use std::collections::VecDeque;

use crate::units::{Moment, Watts};

/// The time that is remembered, in seconds: the longest look back of [`super::moves`].
const REMEMBERED: f64 = 210.0;

/// The least time between two points. With a short poll interval, one of several is enough.
const APART: f64 = 0.9;

/// After a gap like this between two readings, it starts from the beginning.
const GAP: f64 = 45.0;

/// A mean over less than this says nothing.
const LEAST: f64 = 2.0;

/// Two counts that lie further apart don't belong together: fast reads keep the last full one, and
/// full ones come every few seconds.
const COUNTS_APART: f64 = 40.0;

/// A counter is used after this time, if it fits the readings this well in the long run. A counter
/// in another unit, or one that stands still, doesn't.
const KNOWN_AFTER: f64 = 30.0;
const FITS: std::ops::RangeInclusive<f64> = 0.7..=1.4;
/// Between two counts the readings may be off by this factor: a load that comes and goes with the
/// reading's own period.
const CORRECTS: std::ops::RangeInclusive<f64> = 0.2..=5.0;
/// The long run: each count's share of it shrinks by this with the next one.
const FADES: f64 = 0.99;

/// No mean is asked for over more points than this: those of twenty seconds.
const MOST: usize = 32;

/// Seconds, and joules from the first point on.
type Point = (f64, f64);

/// The energy over time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    points: VecDeque<Point>,
    counter: Counter,
}

/// The card's own count.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    /// The last count, when it came, and the energy at that time by the readings.
    last: Option<(f64, u64, f64)>,
    /// In the long run: seconds, joules by the count, joules by the readings.
    seconds: f64,
    counted: f64,
    read: f64,
}

impl Meter {
    /// The next values are another measure.
    pub(crate) fn restart(&mut self) {
        self.points.clear();
        self.counter.last = None;
    }

    /// Takes one reading: the draw since the last one, and the energy count in millijoules.
    pub(crate) fn note(&mut self, now: Moment, draw: Option<Watts>, count: Option<u64>) {
        let Some(draw) = draw.map(Watts::as_f64) else {
            return self.restart();
        };
        let now = now.since_start().as_secs_f64();
        let last = self.points.back().copied();
        let Some((at, joules)) = last.filter(|(at, _)| (0.0..=GAP).contains(&(now - at))) else {
            self.restart();
            // The first reading stands for the second before it.
            self.points.push_back((now - 1.0, -draw));
            self.points.push_back((now, 0.0));
            return;
        };
        self.push(now, joules + draw * (now - at));
        if let Some(count) = count {
            self.count(now, count);
        }
        while self.points.len() > 2 && self.points[1].0 < now - REMEMBERED {
            self.points.pop_front();
        }
    }

    fn push(&mut self, now: f64, joules: f64) {
        let last = self.points.len().saturating_sub(2);
        let close = |(at, _): &(f64, f64)| now - at < APART;
        if self.points.len() > 1 && self.points.get(last).is_some_and(close) {
            self.points.pop_back();
        }
        self.points.push_back((now, joules));
    }

    /// Fast reads repeat the last count. A new one tells how much was used since the one before.
    fn count(&mut self, now: f64, count: u64) {
        let joules = self.points.back().map_or(0.0, |point| point.1);
        let Some((at, before, from)) = self.counter.last else {
            self.counter.last = Some((now, count, joules));
            return;
        };
        if count == before {
            return;
        }
        let read = joules - from;
        let seconds = now - at;
        if count > before && seconds <= COUNTS_APART {
            let counted = (count - before) as f64 / 1000.0;
            self.counter.learn(seconds, counted, read);
            let factor = counted / read.max(f64::MIN_POSITIVE);
            if self.counter.fits() && CORRECTS.contains(&factor) {
                self.correct(at, from, factor);
            }
        }
        let joules = self.points.back().map_or(0.0, |point| point.1);
        self.counter.last = Some((now, count, joules));
    }

    /// The readings since then were off by this factor.
    fn correct(&mut self, since: f64, from: f64, factor: f64) {
        for (at, joules) in self.points.iter_mut().rev() {
            if *at <= since {
                break;
            }
            *joules = from + (*joules - from) * factor;
        }
    }

    /// The card counts its energy.
    pub(crate) const fn has_count(&self) -> bool {
        self.counter.last.is_some()
    }

    /// When the first reading came that is remembered.
    pub(crate) fn begin(&self) -> Option<f64> {
        self.points.front().map(|point| point.0)
    }

    /// The mean draw between two points in time, in watts, as far as it is remembered.
    pub(crate) fn mean(&self, from: f64, to: f64) -> Option<f64> {
        let (first, last) = (self.points.front()?.0, self.points.back()?.0);
        let (from, to) = (from.max(first), to.min(last));
        if to - from < LEAST {
            return None;
        }
        Some((self.at(to)? - self.at(from)?) / (to - from))
    }

    /// The mean of the highest third of the draws between two points in time: the draw without its
    /// dips.
    pub(crate) fn without_dips(&self, from: f64, to: f64) -> Option<f64> {
        let mut draws = [0.0; MOST];
        let mut count = 0;
        for (place, pair) in draws.iter_mut().zip(self.pairs(from, to)) {
            *place = draw(pair);
            count += 1;
        }
        let draws = &mut draws[..count];
        draws.sort_unstable_by(f64::total_cmp);
        let third = &draws[count * 2 / 3..];
        (!third.is_empty()).then(|| third.iter().sum::<f64>() / third.len() as f64)
    }

    /// The lowest and the highest draw since `from`.
    pub(crate) fn extremes(&self, from: f64) -> (f64, f64) {
        let all = self.pairs(from, f64::INFINITY).map(draw);
        all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), draw| {
            (low.min(draw), high.max(draw))
        })
    }

    /// Neighbours, of which a part is between two points in time.
    fn pairs(&self, from: f64, to: f64) -> impl Iterator<Item = (Point, Point)> {
        let first = self.points.partition_point(|point| point.0 <= from);
        let first = first.saturating_sub(1);
        let end = self.points.partition_point(|point| point.0 < to) + 1;
        let end = end.clamp(first, self.points.len());
        let points = self.points.range(first..end).copied();
        points.clone().zip(points.skip(1))
    }

    /// The mean of the draws of at least `low` between two points in time, if it is their level: lower ones
    /// are dips, of which none lasts longer than `dip` seconds or is the end, and which take a quarter of
    /// the time at the most.
    pub(crate) fn level(&self, from: f64, to: f64, low: f64, dip: f64) -> Option<f64> {
        let (mut run, mut lower, mut seconds, mut joules) = (0.0, 0.0, 0.0, 0.0);
        // A dip may have begun before.
        for (before, after) in self.pairs(from - dip, to) {
            let lasts = after.0 - before.0;
            let inside = (after.0.min(to) - before.0.max(from)).max(0.0);
            let draw = draw((before, after));
            if draw >= low {
                run = 0.0;
                seconds += inside;
                joules += draw * inside;
                continue;
            }
            run += lasts;
            lower += inside;
            if run > dip && inside > 0.0 {
                return None;
            }
        }
        let is_level = run <= 0.0 && seconds > 0.0 && lower * 4.0 <= to - from;
        is_level.then(|| joules / seconds)
    }

    /// The energy at one point in time.
    fn at(&self, when: f64) -> Option<f64> {
        let after = self.points.partition_point(|point| point.0 < when);
        let next = self.points.get(after)?;
        let Some(before) = after.checked_sub(1).and_then(|it| self.points.get(it)) else {
            return Some(next.1);
        };
        let share = (when - before.0) / (next.0 - before.0).max(f64::MIN_POSITIVE);
        Some(before.1 + (next.1 - before.1) * share)
    }
}

fn draw((before, after): (Point, Point)) -> f64 {
    (after.1 - before.1) / (after.0 - before.0).max(f64::MIN_POSITIVE)
}

impl Counter {
    fn learn(&mut self, seconds: f64, counted: f64, read: f64) {
        self.seconds = self.seconds * FADES + seconds;
        self.counted = self.counted * FADES + counted;
        self.read = self.read * FADES + read;
    }

    fn fits(&self) -> bool {
        let fit = self.counted / self.read.max(f64::MIN_POSITIVE);
        self.seconds >= KNOWN_AFTER && FITS.contains(&fit)
    }
}
