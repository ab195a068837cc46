//! What was seen in the last two minutes: the highest readings, the highest forecasts, and how the draw
//! went up and down.
//!
//! A forecast assumes that the present draw goes on. Under a load that comes and goes, it doesn't: what
//! came then is lower than what was foreseen, burst after burst. The governor believes what it saw.

pub(super) mod dips;

use std::time::Duration;

use crate::units::{CelsiusDelta, Moment, Ratio};

/// The two minutes are kept as so many spans of so many seconds.
const SPANS: usize = 12;
const SPAN: Duration = Duration::from_secs(10);
const ALL_SPANS: Duration = Duration::from_secs(120);

/// The readings since a move of the limit are kept by the second, for this many.
const SECONDS: usize = 9;
const SECOND: Duration = Duration::from_millis(900);

/// They fall if those of the last four seconds are lower by this than those of the seconds before.
const NEWEST: Duration = Duration::from_secs(4);
const BEFORE: Duration = Duration::from_secs(10);
const FALLS: CelsiusDelta = CelsiusDelta::new(0.25);

/// A draw under this share of the highest is a gap.
const GAP: Ratio = Ratio::new(0.85);
/// A load comes and goes if so many spans have gaps that last, or so many have any.
const LASTING_GAPS: usize = 3;
const ANY_GAPS: usize = 10;

/// What was foreseen in this many spans, the newest, may still come.
const MAY_COME: usize = 2;

/// What is seen on one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) read: CelsiusDelta,
    pub(super) level: CelsiusDelta,
    pub(super) foreseen: CelsiusDelta,
    pub(super) draw: Ratio,
    /// The draw in the middle of the last three: without those that only one tick saw.
    pub(super) middle: Ratio,
}

/// The highest and the lowest of a span.
#[derive(Clone, Copy, Debug)]
struct Span {
    read: CelsiusDelta,
    level: CelsiusDelta,
    foreseen: CelsiusDelta,
    draw: Ratio,
    least_draw: Ratio,
    least_middle: Ratio,
}

impl Span {
    const fn of(sight: Sight) -> Self {
        Self {
            read: sight.read,
            level: sight.level,
            foreseen: sight.foreseen,
            draw: sight.draw,
            least_draw: sight.draw,
            least_middle: sight.middle,
        }
    }

    const fn and(self, sight: Sight) -> Self {
        Self {
            read: self.read.max(sight.read),
            level: self.level.max(sight.level),
            foreseen: self.foreseen.max(sight.foreseen),
            draw: self.draw.max(sight.draw),
            least_draw: self.least_draw.min(sight.draw),
            least_middle: self.least_middle.min(sight.middle),
        }
    }
}

/// The last two minutes; newest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    spans: [Option<Span>; SPANS],
    begun: Moment,
    seconds: [Option<(Moment, CelsiusDelta)>; SECONDS],
}

impl Seen {
    pub(super) fn note(&mut self, now: Moment, sight: Sight) {
        if now.since(self.begun) >= SPAN || self.spans[0].is_none() {
            self.spans.rotate_right(1);
            self.spans[0] = None;
            self.begun = now;
        }
        self.spans[0] = Some(self.spans[0].map_or(Span::of(sight), |span| span.and(sight)));
        match &mut self.seconds[0] {
            Some((at, read)) if now.since(*at) < SECOND => *read = read.max(sight.read),
            _ => {
                self.seconds.rotate_right(1);
                self.seconds[0] = Some((now, sight.read));
            }
        }
    }

    /// The newest readings are of the last seconds.
    pub(super) fn is_fresh(&self, now: Moment) -> bool {
        now.since(self.begun) < SPAN * 2
    }

    fn spans(&self, window: Duration) -> impl Iterator<Item = Span> {
        let spans = window.as_secs().div_ceil(SPAN.as_secs());
        let spans = usize::try_from(spans).unwrap_or(SPANS);
        self.spans.into_iter().take(spans).flatten()
    }

    /// The second highest of the highest readings of each span: one outlier is none.
    pub(super) fn peak(&self, window: Duration) -> Option<CelsiusDelta> {
        second_highest(self.spans(window).map(|span| span.read))
    }

    /// The second highest of the last seconds' readings, from `since` on.
    pub(super) fn peak_since(&self, since: Moment) -> Option<CelsiusDelta> {
        let seconds = self.seconds.iter().flatten();
        let reads = seconds.filter(|(at, _)| *at > since).map(|(_, read)| *read);
        second_highest(reads)
    }

    /// The readings of the last seconds are lower than those of the seconds before. Without readings of
    /// both, they aren't: what delays a rung must not be of long ago.
    pub(super) fn falls(&self, now: Moment) -> bool {
        let mean = |older: Duration, oldest: Duration| {
            let seconds = self.seconds.iter().flatten();
            let aged = seconds.map(|(at, read)| (now.since(*at), read.degrees()));
            let reads = aged.filter(|(age, _)| (older..oldest).contains(age));
            let (count, sum) = reads.fold((0.0, 0.0), |(n, sum), (_, read)| (n + 1.0, sum + read));
            (count > 0.0).then(|| CelsiusDelta::new(sum / count))
        };
        let newest = mean(Duration::ZERO, NEWEST);
        let before = mean(NEWEST, BEFORE);
        newest
            .zip(before)
            .is_some_and(|(newest, before)| newest < before - FALLS)
    }

    /// By how much the highest reading of the last two spans is higher than that of the two before.
    pub(super) fn growth(&self) -> CelsiusDelta {
        let highest = |spans: &[Option<Span>]| {
            let reads = spans.iter().flatten().map(|span| span.read);
            reads.reduce(CelsiusDelta::max)
        };
        let (newest, before) = (highest(&self.spans[..2]), highest(&self.spans[2..4]));
        let growth = newest.zip(before).map(|(newest, before)| newest - before);
        growth.unwrap_or(CelsiusDelta::ZERO)
    }

    /// The highest draw.
    pub(super) fn draw(&self, window: Duration) -> Ratio {
        let draws = self.spans(window).map(|span| span.draw);
        draws.fold(Ratio::ZERO, Ratio::max)
    }

    /// How much higher the forecasts were than what came. 0: as high, or nothing is known yet.
    pub(super) fn overforeseen(&self) -> CelsiusDelta {
        let highest =
            |values: &mut dyn Iterator<Item = CelsiusDelta>| values.reduce(CelsiusDelta::max);
        let spans = || self.spans.into_iter().flatten();
        let foreseen = highest(&mut spans().skip(MAY_COME).map(|span| span.foreseen));
        let came = highest(&mut spans().map(|span| span.level));
        let over = foreseen.zip(came).map(|(foreseen, came)| foreseen - came);
        over.map_or(CelsiusDelta::ZERO, |over| over.max(CelsiusDelta::ZERO))
    }

    /// The load comes and goes.
    pub(super) fn comes_and_goes(&self) -> bool {
        let gap = self.gap();
        let spans = || self.spans.iter().flatten();
        let lasting = spans().filter(|span| span.least_middle < gap).count();
        let any = spans().filter(|span| span.least_draw < gap).count();
        lasting >= LASTING_GAPS || any >= ANY_GAPS
    }

    /// It has begun to.
    pub(super) fn flickers(&self) -> bool {
        let gap = self.gap();
        let newest = self.spans[..2].iter();
        newest
            .into_iter()
            .all(|span| span.is_some_and(|span| span.least_draw < gap))
    }

    fn gap(&self) -> Ratio {
        self.draw(ALL_SPANS) * GAP
    }
}

fn second_highest(values: impl Iterator<Item = CelsiusDelta>) -> Option<CelsiusDelta> {
    let mut highest: Option<CelsiusDelta> = None;
    let mut second = None;
    for value in values {
        if highest.is_none_or(|highest| value > highest) {
            second = highest.replace(value);
        } else if second.is_none_or(|second| value > second) {
            second = Some(value);
        }
    }
    second.or(highest)
}

#[cfg(test)]
mod tests;
