//! How long it takes from heat, or from a call, to the limit that is written: the guard's own loop,
//! its hook, and the whole alert chain with the real Prometheus and Alertmanager, beside shell loops.
//! Distributions, over the simulated library's own trace of what was written when.
//!
//! `cargo bench --bench reaction -- hook heat chain` does some of it; without a word, all, about five
//! minutes. It wants `cargo build --release --workspace` before it. Nothing here fails for being
//! slow: the table says which bar is met.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark: starts programs, goes by the wall's clock, and what it can't measure ends it"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../page.rs"]
mod page;

mod chain;
mod heat;
mod hook;
mod stand;
mod table;
mod trace;

use std::env;
use std::thread;
use std::time::{Duration, Instant};

/// For the guard's own loop and the scripts; as long as the slowest chain takes anyway.
const HEAT: Duration = Duration::from_secs(180);

fn main() {
    let asked: Vec<_> = env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|word| word == part);
    // Alone: a millisecond counts here.
    let mut rows = Vec::new();
    if wants("hook") {
        rows.extend(hook::measure());
    }
    // Seconds count here.
    rows.extend(thread::scope(|scope| {
        let until = Instant::now() + HEAT;
        let heat = wants("heat").then(|| scope.spawn(move || heat::measure(until)));
        let chain = wants("chain").then(|| scope.spawn(move || chain::measure(until)));
        let parts = [heat, chain].into_iter().flatten();
        let rows = parts.flat_map(|part| part.join().expect("its rows"));
        rows.collect::<Vec<_>>()
    }));
    let text = table::text(&rows);
    if asked.is_empty() {
        page::publish("reaction", &text);
    } else {
        println!("{text}");
    }
}

/// A while up to `most`.
fn chance(most: Duration) -> Duration {
    let number = getrandom::u32().expect("random numbers");
    most.mul_f64(f64::from(number) / f64::from(u32::MAX))
}
