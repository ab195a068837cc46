//! Load on the guard's web, while the guard must go on protecting its GPUs: a GPU that hangs inside the
//! driver, a storm of deliveries, a thousand hostile clients. With the real program and real NVML calls.
//!
//! Small fixed versions run with the other tests, and assert nothing about time. `make storm-test`
//! runs the full ones, which print `measured:` lines and assert their bars: see each file.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and time things by the wall"
)]

mod beat;
mod books;
mod crowd;
mod hang;
mod hook;
mod scrape;
mod slow;

use std::env;
use std::fs;
use std::time::Duration;

use crate::common::guard::Guard;

/// Any value: run the full versions.
const FULL: &str = "THERMAL_GUARD_STORM";

fn is_full() -> bool {
    env::var_os(FULL).is_some()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The smallest value that at most this share of all values exceeds.
fn percentile(times: &[Duration], above: f64) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length"
    )]
    let beyond = (sorted.len() as f64 * above) as usize;
    sorted[sorted.len() - 1 - beyond.min(sorted.len() - 1)]
}

fn p99(times: &[Duration]) -> Duration {
    percentile(times, 0.01)
}

/// Memory of the guard's own, in KiB: without the files that it maps.
fn anonymous_memory(guard: &Guard) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", guard.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

/// SIGTERM while nothing is hot: all is given back, and the exit is clean.
fn ends_well(mut guard: Guard) {
    assert_eq!(guard.stop(), Some(0), "{}", guard.log());
    guard.assert_given_back();
}
