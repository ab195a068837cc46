//! A long time with everything that can go wrong, at random: does the guard keep its promises, and
//! does it stay as small as it was?
//!
//! `hour.rs`: the real program over simulated GPUs, with a real Prometheus and Alertmanager that go
//! and come, on a clock ten times as fast as the wall's. `week.rs`: the real workers and policy in
//! virtual time. Both are judged by `observer.rs`, which knows the simulators' truth and doesn't ask
//! the guard.
//!
//! Small fixed versions run with the other tests. `make soak` runs an hour and a week, and prints
//! `measured:` lines.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and time things by the wall"
)]

#[path = "../common/mod.rs"]
mod common;

mod footprint;
mod hour;
mod mending;
mod node;
mod observer;
mod trouble;
mod truth;
mod views;
mod week;

use std::env;
use std::io::Write;

use thermal_guard::device::profile::Profile;
use thermal_guard::units::Watts;

use common::dice::Dice;

/// Any value: the hour and the week.
const FULL: &str = "THERMAL_GUARD_SOAK";

/// Tells another story than the one that is told each time.
const SEED: &str = "THERMAL_GUARD_SOAK_SEED";

fn seed() -> u64 {
    let seed = env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    // A story of ten seconds in which something throttles a card that is there.
    seed.unwrap_or(20_261_129)
}

fn is_full() -> bool {
    env::var_os(FULL).is_some()
}

/// For people, past the test harness, which keeps what passing tests print to itself.
fn measured(what: &str) {
    let _ = writeln!(std::io::stdout(), "measured: {what}");
}

/// Not the default, not whole watts, and unlike any that was there before.
fn odd_limit(profile: &Profile, dice: &mut Dice) -> Watts {
    let (low, high) = (
        profile.default_limit.as_f64() * 0.8,
        profile.default_limit.as_f64(),
    );
    let milliwatts = Watts::from_f64(dice.between(low, high)).milliwatts();
    Watts::from_milliwatts(milliwatts.max(profile.min_limit.milliwatts()))
}
