//! The recorded course of a stretch, second by second, as far as scrapes tell it.

use std::ops::Range;

use crate::backtest::card::Card;
use crate::backtest::heat::BUSY;
use crate::backtest::history::{Row, Slowdown};

/// A second of the recorded course.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Second {
    pub(super) core: f64,
    pub(super) memory: Option<f64>,
    pub(super) watts: f64,
    /// The draw without the card's own slowdown.
    pub(super) demand: f64,
    /// The share of its clock that the slowdown left.
    pub(super) own_speed: f64,
    pub(super) busy: bool,
}

/// One scrape, with what the load would have drawn.
#[derive(Clone, Copy, Debug)]
struct Point {
    seconds: f64,
    core: f64,
    memory: Option<f64>,
    watts: f64,
    demand: f64,
    own_speed: f64,
}

/// The seconds between two scrapes that are further apart are unknown: nothing is played there.
const LONGEST_STEP: f64 = 2.5;

/// All seconds of a stretch; `None` where a gap is.
pub(super) fn course(
    rows: &[Row],
    range: Range<usize>,
    interval: f64,
    card: &Card,
) -> Vec<Option<Second>> {
    let points = points(&rows[range], card);
    let longest = interval * LONGEST_STEP;
    let busy = card.default_watts.unwrap_or(f64::INFINITY) * BUSY;
    let mut seconds = Vec::new();
    let Some(first) = points.first() else {
        return seconds;
    };
    let mut at = first.seconds;
    for pair in points.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        let width = b.seconds - a.seconds;
        if width > longest {
            seconds.push(None);
            at = b.seconds;
            continue;
        }
        while at < b.seconds {
            let share = (at - a.seconds) / width;
            seconds.push(Some(between(a, b, share, busy)));
            at += 1.0;
        }
    }
    seconds
}

/// In a straight line. So a load that changed somewhere between two scrapes did so in their middle.
fn between(a: &Point, b: &Point, share: f64, busy: f64) -> Second {
    let line = |a: f64, b: f64| a + (b - a) * share;
    let demand = line(a.demand, b.demand);
    Second {
        core: line(a.core, b.core),
        memory: a.memory.zip(b.memory).map(|(a, b)| line(a, b)),
        watts: line(a.watts, b.watts),
        demand,
        own_speed: line(a.own_speed, b.own_speed),
        busy: demand >= busy,
    }
}

fn points(rows: &[Row], card: &Card) -> Vec<Point> {
    let mut free: Option<(f64, f64)> = None;
    let mut watts = None;
    let mut points = Vec::with_capacity(rows.len());
    for row in rows {
        watts = row.watts().or(watts);
        let (Some(core), Some(watts)) = (row.core_celsius(), watts) else {
            continue;
        };
        let slowed = row.slowdown() == Slowdown::Thermal;
        if !slowed {
            free = Some((watts, row.megahertz().unwrap_or(0.0)));
        }
        let (demand, own_speed) = if slowed {
            demand(watts, row.megahertz(), free, card)
        } else {
            (watts, 1.0)
        };
        points.push(Point {
            seconds: row.seconds(),
            core,
            memory: row.memory_celsius(),
            watts,
            demand,
            own_speed,
        });
    }
    points
}

/// The draw at full clock of a load that was slowed down to `watts`, and the share of its clock.
fn demand(watts: f64, clock: Option<f64>, free: Option<(f64, f64)>, card: &Card) -> (f64, f64) {
    const SLOWEST: f64 = 0.1;
    let full = free.map(|(_, clock)| clock).filter(|clock| *clock > 0.0);
    let full = full.or(card.highest_megahertz);
    let speed = clock.zip(full).map(|(clock, full)| clock / full);
    let most = card.default_watts.unwrap_or(watts).max(watts);
    if let Some(speed) = speed {
        let speed = speed.clamp(SLOWEST, 1.0);
        let demand = watts / card.curve.power(speed).max(SLOWEST);
        return (demand.min(most), speed);
    }
    // Without clocks: what it drew before.
    let demand = free
        .map_or(watts, |(before, _)| before.max(watts))
        .min(most);
    (demand, card.curve.throughput(watts / demand.max(1.0)))
}
