//! Packs the samples of one GPU into rows: for each scrape of its temperature, the other values of that
//! scrape.

use std::collections::BTreeMap;

use crate::backtest::history::{History, Row, Slowdown, Told, Values};

use super::family::{Meaning, THERMAL_BITS};

/// A value may be this much older than the temperature, in intervals: exporters are scraped apart.
const OLDEST: f64 = 1.5;
/// And this much younger, in seconds.
const YOUNGEST: i64 = 500;

/// Adds up a counter across resets.
#[derive(Clone, Copy, Debug, Default)]
struct Counter {
    last: Option<f64>,
    total: f64,
}

impl Counter {
    fn pass(&mut self, value: f64) {
        if let Some(last) = self.last {
            self.total += if value >= last { value - last } else { value };
        }
        self.last = Some(value);
    }
}

/// A counter, and its samples in this piece.
type Counting = (Counter, Vec<(i64, f64)>);

/// A GPU whose history is being built, piece by piece in the order of time.
#[derive(Debug, Default)]
pub(super) struct Folding {
    pub(super) history: History,
    start_ms: i64,
    piece: BTreeMap<Meaning, Vec<(i64, f64)>>,
    counters: BTreeMap<(Meaning, String), Counting>,
    last_ms: Option<i64>,
    pub(super) samples: u64,
}

impl Folding {
    pub(super) fn new(history: History, start_ms: i64) -> Self {
        Self {
            history,
            start_ms,
            ..Self::default()
        }
    }

    /// Samples of one series in this piece. `which` tells counters of one meaning apart.
    pub(super) fn add(&mut self, means: Meaning, which: &str, samples: &[(i64, f64)], factor: f64) {
        self.samples += samples.len() as u64;
        let finite = samples.iter().filter(|(_, value)| value.is_finite());
        let scaled = finite.map(|(at, value)| (*at, value * factor));
        match means {
            Meaning::SlowedFor | Meaning::GuardedFor => {
                let entry = self.counters.entry((means, which.to_owned()));
                entry.or_default().1.extend(scaled);
            }
            _ => self.piece.entry(means).or_default().extend(scaled),
        }
    }

    /// The piece is complete.
    pub(super) fn close(&mut self, interval_seconds: f64) {
        for (counter, samples) in self.counters.values_mut() {
            samples.sort_by_key(|(at, _)| *at);
            for (_, value) in samples.drain(..) {
                counter.pass(value);
            }
        }
        for samples in self.piece.values_mut() {
            samples.sort_by_key(|(at, _)| *at);
        }
        let oldest = oldest_ms(interval_seconds);
        let empty = Vec::new();
        let of = |means| self.piece.get(&means).unwrap_or(&empty).as_slice();
        let mut cursors = Cursors::new(oldest);
        let mut last = self.last_ms;
        let cores = of(Meaning::Core);
        self.history.rows.reserve(cores.len());
        for &(at, core) in cores {
            // Two replicas, or the edge of two pieces.
            if last.is_some_and(|last| at <= last) || at < self.start_ms {
                continue;
            }
            last = Some(at);
            let values = Values {
                core_celsius: Some(core),
                memory_celsius: cursors
                    .at(0, of(Meaning::Memory), at)
                    .filter(|it| *it > 0.0),
                watts: cursors.at(1, of(Meaning::Draw), at),
                megahertz: cursors.at(2, of(Meaning::Clock), at),
                fan: cursors.at(3, of(Meaning::Fan), at),
                slowdown: slowdown(
                    cursors.at(4, of(Meaning::ReasonBits), at),
                    cursors.highest(5, of(Meaning::SlowedNow), at),
                ),
            };
            let seconds = (at - self.start_ms) as f64 / 1e3;
            self.history.rows.push(Row::new(seconds, &values));
        }
        self.last_ms = last;
        self.piece.values_mut().for_each(Vec::clear);
    }

    pub(super) fn finish(mut self) -> History {
        let totals = |means| {
            let its = self
                .counters
                .iter()
                .filter(move |((it, _), _)| *it == means);
            its.map(|(_, (counter, _))| counter.total)
        };
        // The reasons overlap, and one counter may be the sum of others.
        let slowed = totals(Meaning::SlowedFor).reduce(f64::max);
        let guarded = totals(Meaning::GuardedFor).reduce(|a, b| a + b);
        self.history.told = Told {
            slowed_seconds: slowed,
            guarded_seconds: guarded,
            ..self.history.told
        };
        self.history.rows.shrink_to_fit();
        self.history
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "an interval in milliseconds"
)]
fn oldest_ms(interval_seconds: f64) -> i64 {
    (interval_seconds * OLDEST * 1e3).max(2000.0) as i64
}

fn slowdown(bits: Option<f64>, flag: Option<f64>) -> Slowdown {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float cast saturates"
    )]
    let by_bits = bits.map(|bits| bits as u64 & THERMAL_BITS != 0);
    let by_flag = flag.map(|flag| flag > 0.0);
    match (by_bits, by_flag) {
        (None, None) => Slowdown::Untold,
        (Some(true), _) | (_, Some(true)) => Slowdown::Thermal,
        _ => Slowdown::None,
    }
}

/// Walks through other values beside the temperatures.
struct Cursors {
    places: [usize; 6],
    oldest: i64,
}

impl Cursors {
    const fn new(oldest: i64) -> Self {
        Self {
            places: [0; 6],
            oldest,
        }
    }

    /// The latest value that isn't too old.
    fn at(&mut self, which: usize, samples: &[(i64, f64)], at: i64) -> Option<f64> {
        let place = &mut self.places[which];
        while samples
            .get(*place)
            .is_some_and(|(time, _)| *time <= at + YOUNGEST)
        {
            *place += 1;
        }
        let (time, value) = samples.get(place.checked_sub(1)?)?;
        (at - time <= self.oldest).then_some(*value)
    }

    /// The highest value of the latest time: several series may say something of it.
    fn highest(&mut self, which: usize, samples: &[(i64, f64)], at: i64) -> Option<f64> {
        let latest = self.at(which, samples, at)?;
        let last = self.places[which] - 1;
        let time = samples[last].0;
        let same = samples[..last].iter().rev().take_while(|it| it.0 == time);
        Some(same.fold(latest, |most, it| most.max(it.1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_join_the_values_of_a_scrape() {
        let mut folding = Folding::new(History::default(), 0);
        folding.add(
            Meaning::Core,
            "",
            &[(15_000, 60.0), (0, 50.0), (30_000, 70.0)],
            1.0,
        );
        // Of a GPU that ran in two pods, and of an exporter that is scraped apart.
        folding.add(Meaning::Draw, "", &[(15_000, 300.0)], 1.0);
        folding.add(Meaning::Draw, "", &[(0, 200.0)], 1.0);
        folding.add(Meaning::Clock, "", &[(-2000, 1.4e9), (13_000, 1.5e9)], 1e-6);
        folding.add(Meaning::ReasonBits, "", &[(0, 4.0), (15_000, 36.0)], 1.0);
        folding.close(15.0);
        // The same edge again.
        folding.add(Meaning::Core, "", &[(30_000, 70.0), (45_000, 71.0)], 1.0);
        folding.close(15.0);
        let rows = folding.finish().rows;
        let told: Vec<_> = rows
            .iter()
            .map(|row| (row.seconds(), row.watts(), row.megahertz(), row.slowdown()))
            .collect();
        assert_eq!(told[0], (0.0, Some(200.0), Some(1400.0), Slowdown::None));
        assert_eq!(
            told[1],
            (15.0, Some(300.0), Some(1500.0), Slowdown::Thermal)
        );
        assert_eq!(told[2].1, Some(300.0), "one scrape may miss");
        assert_eq!(told[3], (45.0, None, None, Slowdown::Untold));
    }

    #[test]
    fn counters_survive_resets_and_overlap() {
        let mut folding = Folding::new(History::default(), 0);
        folding.add(Meaning::SlowedFor, "sw", &[(0, 100.0), (1, 110.0)], 1.0);
        folding.add(Meaning::SlowedFor, "hw", &[(0, 0.0), (1, 4.0)], 1.0);
        folding.close(15.0);
        folding.add(Meaning::SlowedFor, "sw", &[(2, 3.0), (3, 5.0)], 1.0);
        folding.close(15.0);
        assert_eq!(folding.finish().told.slowed_seconds, Some(15.0));
    }

    #[test]
    fn either_of_two_flags_is_enough() {
        let mut folding = Folding::new(History::default(), 0);
        folding.add(Meaning::Core, "", &[(0, 60.0), (15_000, 60.0)], 1.0);
        folding.add(Meaning::SlowedNow, "", &[(0, 1.0), (15_000, 0.0)], 1.0);
        folding.add(Meaning::SlowedNow, "", &[(0, 0.0), (15_000, 0.0)], 1.0);
        folding.close(15.0);
        let rows = folding.finish().rows;
        assert_eq!(rows[0].slowdown(), Slowdown::Thermal);
        assert_eq!(rows[1].slowdown(), Slowdown::None);
    }
}
