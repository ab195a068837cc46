//! End to end: the real program over simulated GPUs, with real NVML calls. With the real Prometheus and
//! Alertmanager it is in `tests/chain/`.
//!
//! Plant and guard run faster than the wall clock by the same factor (`--debug.time-scale`). No test
//! asserts how fast this machine is; lines that begin with `measured:` show figures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, time things by the wall, start programs, and compare limits exactly"
)]

mod access;
mod apps;
mod disk;
mod fans;
mod faults;
mod governed;
mod hardware;
mod lifecycle;
mod sensors;
mod systemd;
mod takeover;

use crate::common::guard::Guard;

/// Counts of the guard's actions with this result, on all GPUs.
fn actions(guard: &Guard, result: &str) -> f64 {
    let name = "thermal_guard_actions_total";
    guard
        .metrics()
        .get(name, &[("result", result)])
        .unwrap_or(0.0)
}
