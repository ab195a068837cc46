//! Helpers for a node in virtual time.
#![allow(
    dead_code,
    clippy::panic,
    reason = "each test program uses its own part, and fails by panic"
)]

use thermal_guard::guard::Tick;
use thermal_guard::sim::card::Conditions;
use thermal_guard::units::Celsius;

#[allow(unused_imports, reason = "each test program uses its own part")]
pub(crate) use thermal_guard::sim::node::{COOL, Node, TICK};

pub(crate) trait RunUntil {
    /// Ticks until `done`, for at most `seconds`. Returns how many seconds it took.
    fn run_until(&mut self, seconds: u64, done: impl Fn(&[Tick]) -> bool) -> u64;
}

impl RunUntil for Node {
    #[track_caller]
    fn run_until(&mut self, seconds: u64, done: impl Fn(&[Tick]) -> bool) -> u64 {
        for second in 1..=seconds {
            let ticks = self.step();
            if done(&ticks) {
                return second;
            }
        }
        panic!(
            "not within {seconds} s: {:?}",
            self.step().iter().map(|t| t.decision).collect::<Vec<_>>()
        );
    }
}

/// Full load in a room of `inlet`.
pub(crate) const fn room(inlet: Celsius) -> Conditions {
    Conditions::full_load(inlet)
}
