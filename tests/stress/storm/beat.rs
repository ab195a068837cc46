//! Whether the control loops keep time, seen from outside.
//!
//! A GPU's loop ticks on a beat, and early whenever a lease wakes it. Each scrape tells when the
//! loop last took a reading. So a beat is late by as much as the first tick seen at or after it;
//! where wakes come between two scrapes, that is more than it really was, never less.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::guard::Guard;
use crate::common::scrape::Metrics;

/// Between two samples: much less than a beat, and the largest error of a lateness.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// A reading's own time varies by less.
const SLACK: f64 = 0.002;

/// The moments, in seconds since the Unix epoch, at which each GPU was seen to have ticked.
#[derive(Default)]
pub(crate) struct Ticks(BTreeMap<usize, Vec<f64>>);

/// Looks until then. `beside` is called at each look.
pub(crate) fn watch(guard: &Guard, gpus: usize, until: Instant, mut beside: impl FnMut()) -> Ticks {
    let mut ticks = Ticks::default();
    while Instant::now() < until {
        let text = guard.get("/metrics?collect[]=guard").unwrap();
        let metrics = Metrics::parse(&text);
        for gpu in 0..gpus {
            let name = "thermal_guard_poll_last_success_timestamp_seconds";
            let at = metrics.of(gpu, name, &[]).unwrap();
            let seen = ticks.0.entry(gpu).or_default();
            if seen.last() != Some(&at) {
                seen.push(at);
            }
        }
        beside();
        thread::sleep(LOOK_EVERY);
    }
    ticks
}

impl Ticks {
    /// Where the beats lie, from ticks that nothing woke: the earliest that any came.
    fn origin(seen: &[f64], period: f64) -> f64 {
        let first = seen[0];
        let off = |at: &f64| {
            let off = (at - first).rem_euclid(period);
            if off > period / 2.0 {
                off - period
            } else {
                off
            }
        };
        first + seen.iter().map(off).fold(0.0, f64::min) - SLACK
    }

    /// How late each beat was, of all GPUs, on the beat that they had in `calm`.
    pub(crate) fn lateness(&self, calm: &Self, period: Duration) -> Vec<Duration> {
        let gpus = self.0.iter().zip(calm.0.values());
        let late = gpus.flat_map(|((_, seen), calm)| {
            Self::late(seen, Self::origin(calm, period.as_secs_f64()), period)
        });
        late.collect()
    }

    fn late(seen: &[f64], origin: f64, period: Duration) -> Vec<Duration> {
        let period = period.as_secs_f64();
        let (first, last) = (seen[0], seen[seen.len() - 1]);
        let mut beat = origin + ((first - origin) / period).ceil() * period;
        let mut late = Vec::new();
        while let Some(tick) = seen.iter().find(|tick| **tick >= beat) {
            late.push(Duration::from_secs_f64(tick - beat));
            beat += period;
        }
        assert!(beat > last, "every beat but the last was looked at");
        late
    }
}

/// The control: late and missing beats are found.
#[test]
fn a_late_beat_and_a_missed_one_are_seen() {
    let period = Duration::from_millis(500);
    let calm = [10.0, 10.5, 11.001, 11.5];
    // Woken at 20.1, late at 21.0 by 0.1 s, no beat at 22.0.
    let storm = [20.0, 20.1, 20.5, 21.1, 21.5, 22.5, 23.0];
    let [calm, storm] = [calm.to_vec(), storm.to_vec()].map(|seen| Ticks([(0, seen)].into()));
    let mut late = storm.lateness(&calm, period);
    late.sort();
    let late: Vec<_> = late.iter().map(Duration::as_millis).collect();
    assert_eq!(late[late.len() - 2..], [102, 502]);
    assert!(
        late[..late.len() - 2].iter().all(|late| *late <= 3),
        "{late:?}"
    );
}
