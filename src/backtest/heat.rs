//! How hot a GPU was, and how long it slowed itself down, by what its scrapes show.

use serde::Serialize;

use super::card::Card;
use super::history::{History, Row, Slowdown};

/// A scrape stands for the time to the next one, at most for this many intervals: longer is a gap.
const LONGEST_STEP: f64 = 2.5;

/// A draw above this share of the default limit is work.
pub(super) const BUSY: f64 = 0.25;

/// The heat of a GPU over the period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Heat {
    /// Time that scrapes tell of.
    pub seen_seconds: f64,
    pub gap_seconds: f64,
    pub longest_gap_seconds: f64,
    pub busy_seconds: f64,
    pub mean_celsius: f64,
    /// Hotter only for a hundredth of the time.
    pub p99_celsius: f64,
    pub hottest_celsius: f64,
    pub over_alert_seconds: f64,
    pub over_critical_seconds: f64,
    pub memory_hottest_celsius: Option<f64>,
    pub memory_over_alert_seconds: Option<f64>,
    pub mean_watts: Option<f64>,
    pub highest_watts: Option<f64>,
}

/// How long the card slowed itself down because of heat.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OwnSlowdown {
    pub seconds: f64,
    /// Counted by the card; otherwise it is what scrapes happened to see.
    pub counted: bool,
    /// Full seconds of work that went with it, by the clocks; a bound from above: work that waits for
    /// memory loses less. `None`: no clocks are exported, or no scrape saw one.
    pub lost_seconds: Option<f64>,
}

/// Pairs of a scrape and the seconds that it stands for. `None` after the last one, and before a gap.
pub(super) fn held(rows: &[Row], interval: f64) -> impl Iterator<Item = (&Row, f64)> {
    let longest = interval * LONGEST_STEP;
    let next = rows.iter().skip(1).map(Some).chain([None]);
    rows.iter().zip(next).map(move |(row, next)| {
        let step = next.map_or(interval, |next| next.seconds() - row.seconds());
        (row, if step > longest { interval } else { step })
    })
}

/// `period_seconds`: the whole period, seen or not.
pub(super) fn heat(history: &History, card: &Card, period_seconds: f64) -> Heat {
    let interval = history.interval().unwrap_or(0.0);
    let mut heat = Heat {
        hottest_celsius: f64::NEG_INFINITY,
        ..Heat::default()
    };
    let mut bins = [0.0; 256];
    let (mut degrees, mut joules, mut drawn) = (0.0, 0.0, 0.0);
    let busy = card.default_watts.map(|watts| watts * BUSY);
    for (row, seconds) in held(&history.rows, interval) {
        let Some(core) = row.core_celsius() else {
            continue;
        };
        heat.seen_seconds += seconds;
        degrees += core * seconds;
        heat.hottest_celsius = heat.hottest_celsius.max(core);
        bins[bin(core)] += seconds;
        let over = |limit: f64| if core >= limit { seconds } else { 0.0 };
        heat.over_alert_seconds += over(card.alert_celsius);
        heat.over_critical_seconds += over(card.critical_celsius);
        if let Some(memory) = row.memory_celsius() {
            let hottest = heat.memory_hottest_celsius.get_or_insert(memory);
            *hottest = hottest.max(memory);
            if let Some(alert) = card.memory_alert_celsius {
                let total = heat.memory_over_alert_seconds.get_or_insert(0.0);
                *total += if memory >= alert { seconds } else { 0.0 };
            }
        }
        if let Some(watts) = row.watts() {
            joules += watts * seconds;
            drawn += seconds;
            let highest = heat.highest_watts.get_or_insert(watts);
            *highest = highest.max(watts);
            heat.busy_seconds += if busy.is_some_and(|busy| watts >= busy) {
                seconds
            } else {
                0.0
            };
        }
    }
    if heat.seen_seconds > 0.0 {
        heat.mean_celsius = degrees / heat.seen_seconds;
    }
    heat.p99_celsius = percentile(&bins, 0.99);
    heat.mean_watts = (drawn > 0.0).then(|| joules / drawn);
    (heat.gap_seconds, heat.longest_gap_seconds) = gaps(&history.rows, interval, period_seconds);
    heat
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped"
)]
fn bin(core: f64) -> usize {
    (core.round() + 50.0).clamp(0.0, 255.0) as usize
}

fn percentile(bins: &[f64; 256], share: f64) -> f64 {
    let wanted = bins.iter().sum::<f64>() * share;
    let mut sum = 0.0;
    for (bin, seconds) in (0_i16..).zip(bins) {
        sum += seconds;
        if sum >= wanted {
            return f64::from(bin) - 50.0;
        }
    }
    0.0
}

/// All time without a scrape, and the longest stretch of it.
fn gaps(rows: &[Row], interval: f64, period: f64) -> (f64, f64) {
    let longest = interval * LONGEST_STEP;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return (period, period);
    };
    let within = rows.windows(2);
    let within = within.map(|pair| pair[1].seconds() - pair[0].seconds());
    let all = within.chain([first.seconds(), period - last.seconds()]);
    let gaps = all
        .filter(|step| *step > longest)
        .map(|step| step - interval);
    gaps.fold((0.0, 0.0), |(sum, most), gap| {
        (sum + gap, f64::max(most, gap))
    })
}

/// `None`: nothing tells of it.
pub(super) fn own_slowdown(history: &History) -> Option<OwnSlowdown> {
    let interval = history.interval()?;
    let (mut seen, mut lost, mut told) = (0.0, 0.0, false);
    let mut clocks = false;
    let mut free = None;
    for (row, seconds) in held(&history.rows, interval) {
        match row.slowdown() {
            Slowdown::Untold => {}
            Slowdown::None => {
                told = true;
                free = row.megahertz().or(free);
            }
            Slowdown::Thermal => {
                told = true;
                seen += seconds;
                if let Some((now, free)) = row.megahertz().zip(free) {
                    clocks = true;
                    lost += seconds * (1.0 - now / free).max(0.0);
                }
            }
        }
    }
    let counted = history.told.slowed_seconds;
    if !told && counted.is_none() {
        return None;
    }
    // What scrapes saw stands for what the counter counted.
    let scale = match counted {
        Some(counted) if seen > 0.0 => counted / seen,
        _ => 1.0,
    };
    let total = counted.unwrap_or(seen);
    let lost = if total > 0.0 {
        clocks.then_some(lost * scale)
    } else {
        Some(0.0)
    };
    Some(OwnSlowdown {
        seconds: total,
        counted: counted.is_some(),
        lost_seconds: lost,
    })
}
