//! The invariant over random bad cards: calls that answer anything, setters that lie, sensors that
//! cache, lag, jump and freeze, on every poll interval, under leases, reloads, kills and detaches.
//! Judged by the simulated card alone; the guard isn't asked what it knows.
//!
//! A few hundred histories run with the other tests; `make bad-cards` runs ten thousand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreadable_literal,
    reason = "tests"
)]

#[path = "../common/virtual_node.rs"]
mod virtual_node;

mod faults;
mod judge;
mod known;
mod preflight;
mod story;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use story::{Story, story};

/// Set, each tick of a story is told.
const TRACE: &str = "THERMAL_GUARD_TRACE";

/// How many histories; the environment's number is a slow proof's.
const HISTORIES: &str = "THERMAL_GUARD_BAD_CARDS";
const HISTORIES_IN_CI: u32 = 300;

/// How often each kind of fault was met.
static MET: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

pub(crate) fn config() -> ProptestConfig {
    let asked = std::env::var(HISTORIES).ok();
    let cases = asked.as_deref().and_then(|it| it.parse().ok());
    // The same histories each time in continuous integration, new ones on a developer's machine.
    let rng_seed = match std::env::var_os("CI") {
        Some(_) => RngSeed::Fixed(20_261_129),
        None => RngSeed::Random,
    };
    ProptestConfig {
        cases: cases.unwrap_or(HISTORIES_IN_CI),
        rng_seed,
        max_shrink_iters: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn tell(story: &Story) {
    let mut met = MET.lock().unwrap();
    for kind in story.kinds() {
        *met.entry(kind).or_default() += 1;
    }
}

#[test]
fn a_hot_card_is_held_by_what_works_whatever_else_is_broken() {
    let mut runner = proptest::test_runner::TestRunner::new(config());
    let result = runner.run(&story(), |story| {
        tell(&story);
        judge::follow(&story)
    });
    let met = MET.lock().unwrap();
    let met: Vec<_> = met
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    let _ = writeln!(
        std::io::stdout(),
        "measured: faults met: {}",
        met.join(", ")
    );
    result.unwrap();
}
