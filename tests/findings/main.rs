//! What real cards did to guards, and what a hostile reader found: each once more, at the real
//! program over the simulated library.
//!
//! A test looks at the simulated card first, and then at what the guard says of it: on another
//! program (`THERMAL_GUARD_TEST_BINARY`) it fails for the real reason. Plant and guard run faster than
//! the wall alike, and all seconds here are the plant's.
//!
//! Deliberately not here: alerts, files and applications, and the rounds of the policy in virtual
//! time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, time things by the wall, start programs, and compare limits exactly"
)]

#[path = "../common/mod.rs"]
mod common;

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
