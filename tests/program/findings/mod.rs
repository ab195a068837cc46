//! Faults of real cards that once misled a guard, and mistakes that reviewers found. Each test repeats
//! one of them with the real program over the simulated library.
//!
//! A test checks the simulated card first, and then what the guard says about it. So another program
//! (`THERMAL_GUARD_TEST_BINARY`) fails for the real reason. Plant and guard run faster than the wall
//! clock by the same factor; all seconds here are the plant's.
//!
//! Deliberately not here: alerts, files and applications (`outside`), and the policy in virtual time
//! (`tests/virtual_time/`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, time things by the wall, start programs, and compare limits exactly"
)]

mod absent;
mod draw;
mod dwell;
mod giving_back;
mod hold_time;
mod leaving;
mod limits;
mod locks;
mod missed;
mod numbers;
mod scene;
mod sensors;
mod thresholds;
