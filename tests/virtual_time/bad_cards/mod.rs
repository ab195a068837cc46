//! The invariant over random bad cards: calls that answer anything, setters that lie, sensors that
//! cache, lag, jump and freeze, on every poll interval, under leases, reloads, kills and detaches.
//! The simulated card alone is the judge; the tests don't ask the guard.
//!
//! Some histories run with the other tests; `make bad-cards` runs ten thousand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreadable_literal,
    reason = "tests"
)]

mod faults;
mod judge;
mod known;
mod preflight;
mod story;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

use proptest::prelude::*;

use crate::common::cases::cases;

use story::{Story, story};

/// Set, each tick of a story is told.
const TRACE: &str = "THERMAL_GUARD_TRACE";

/// How often each kind of fault was met.
static MET: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());

pub(crate) fn config() -> ProptestConfig {
    ProptestConfig {
        max_shrink_iters: 400,
        failure_persistence: None,
        ..cases(120)
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
