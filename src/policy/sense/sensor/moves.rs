//! Lasting moves of the draw: those that must show in every thermometer of the card.

use super::meter::Meter;

/// A higher draw must show if it is higher by this share of the card's scale. Over the recordings of
/// 16 kinds of cards, no reading stood still for 20 s over a rise of more than 0.13.
const UP: f64 = 0.2;
/// A lower one, by this share: cards that hold themselves at their own target lower their draw by up
/// to 0.26 while the reading stands still.
const DOWN: f64 = 0.35;

/// A move is lasting if it is there in each part of ten seconds, or on the mean of each ten seconds
/// of twenty: a load that comes and goes every few seconds heats as its mean.
const PARTS: &[(f64, f64)] = &[(0.0, 2.5), (2.5, 5.0), (5.0, 7.5), (7.5, 10.0)];
const TENS: &[(f64, f64)] = &[(0.0, 10.0), (5.0, 15.0), (10.0, 20.0)];
const LASTS: f64 = 10.0;
const LONGEST: f64 = 20.0;

/// Some meters show dips of one or two seconds, two at a time now and then, which heat nothing. In a part
/// of 2.5 s they would hide a move down for good: a reading that stands still since the move has no
/// other seconds before it. By this share under the highest draws, a sample is part of a dip.
const DIP: f64 = 2.5;
const DEEP: f64 = 0.15;

/// A draw must be known for so long before it is one to move from, in seconds. In its first seconds, it
/// is one only if it is this share of the draw after the move or less: a meter may begin with two low
/// samples, and recorded ones are 0.45 of the draw.
const KNOWN: f64 = 1.0;
const KNOWN_WELL: f64 = 4.0;
const IDLE: f64 = 0.3;

/// A move within this time is one, in seconds, and so are two steps: a load, and a limit that is given
/// back. A card that is regulated at a constant temperature draws more or less power over longer, as its
/// air changes; in the recordings none stands still for that, with three minutes or with one.
pub(super) const WITHIN: f64 = 180.0;
const GRID: f64 = 2.5;

/// A lasting move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Move {
    /// The draw was another until then, in seconds.
    pub(crate) began: f64,
    /// It left its former level then. Means of ten seconds show a move only once most of it is past.
    pub(crate) left: f64,
    /// By how much of the scale it moved. Negative: the draw is lower.
    pub(crate) share: f64,
}

/// The last lasting move that began after `since` and lasts until `now`.
pub(crate) fn lasting(meter: &Meter, now: f64, since: f64, scale: f64) -> Option<Move> {
    let start = meter.begin()?;
    let first = (start + KNOWN).max(since).max(now - WITHIN);
    let parts = Range::of(meter, now, PARTS)?;
    let tens = Range::of(meter, now, TENS)?;
    let (low, high) = meter.extremes(first - LONGEST);
    let no_rise = parts.low.max(tens.low) - low < UP * scale;
    if no_rise && high - parts.high.min(tens.high) < DOWN * scale {
        return None;
    }
    let mut began = now - LASTS;
    while began >= first {
        let before = Range::of(meter, began, PARTS);
        let is_known = |it: &Range| began - start >= KNOWN_WELL || it.high <= IDLE * parts.low;
        let by_parts = before.filter(is_known).map(|before| parts.moved(before));
        let tens_before =
            Range::of(meter, began, TENS).filter(|it| began <= now - 2.0 * LASTS && is_known(it));
        let by_tens = tens_before.map(|before| tens.moved(before));
        let by_level = down_from_level(meter, began, parts, scale);
        let moved = |watts: Option<f64>| {
            let share = watts.map(|watts| watts / scale);
            share.filter(|share| *share >= UP || *share <= -DOWN)
        };
        if let Some(share) = moved(by_parts).or_else(|| moved(by_level)) {
            let left = began;
            return Some(Move { began, left, share });
        }
        if let Some((share, before)) = moved(by_tens).zip(tens_before) {
            let left = left(meter, began, before, tens);
            return Some(Move { began, left, share });
        }
        let next = began - GRID;
        began = if began > first { next.max(first) } else { next };
    }
    None
}

/// When the draw left the level `before`, if the ten seconds until `began` had parts of both levels.
fn left(meter: &Meter, began: f64, before: Range, now: Range) -> f64 {
    let (from, to) = if now.low > before.high {
        (before.low, now.low)
    } else {
        (before.high, now.high)
    };
    let share = meter
        .mean(began - LASTS, began)
        .map_or(0.0, |mean| (mean - from) / (to - from));
    began - LASTS * share.clamp(0.0, 1.0)
}

/// How far the draw is under its level of the ten seconds before `began`, as a negative number.
fn down_from_level(meter: &Meter, began: f64, now: Range, scale: f64) -> Option<f64> {
    let from = began - LASTS;
    let high = meter.without_dips(from, began)?;
    let level = meter.level(from, began, high - DEEP * scale, DIP)?;
    Some((now.high - level).min(0.0))
}

/// How low and how high the draw was for some seconds. Dips make it lower than it was; so the low end
/// has them, and the high end hasn't.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// Of the means before `at`, as far as they are remembered.
    fn of(meter: &Meter, at: f64, means: &[(f64, f64)]) -> Option<Self> {
        let all = means.iter();
        let each = all.filter_map(|(to, from)| meter.mean(at - from, at - to));
        let longest = means.last()?.1;
        let (mut low, mut high) = (f64::INFINITY, meter.without_dips(at - longest, at)?);
        for mean in each {
            low = low.min(mean);
            high = high.max(mean);
        }
        Some(Self { low, high })
    }

    /// How far it lies over the other, or, negative, under it.
    fn moved(self, before: Self) -> f64 {
        let (up, down) = (self.low - before.high, before.low - self.high);
        if up > 0.0 { up } else { -down.max(0.0) }
    }
}
