//! A long time with random faults of every kind: does the guard keep its promises, and does it stay
//! small?
//!
//! `hour.rs` runs the real program over simulated GPUs, with a real Prometheus and Alertmanager that
//! stop and start, ten times as fast as the wall clock. `week.rs` runs the real workers and policy in
//! virtual time. `observer.rs` judges both: it knows the true state of the simulators and doesn't ask
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

use thermal_guard::sim::profile::Profile;
use thermal_guard::units::Watts;

use crate::common::dice::Dice;

/// Any value: run the whole hour and week.
const FULL: &str = "THERMAL_GUARD_SOAK";

/// Another seed than the usual one.
const SEED: &str = "THERMAL_GUARD_SOAK_SEED";

fn seed() -> u64 {
    let seed = env::var(SEED).ok().map(|seed| seed.parse().unwrap());
    // A story of ten seconds in which something throttles a card that is there.
    seed.unwrap_or(20_261_129)
}

fn is_full() -> bool {
    env::var_os(FULL).is_some()
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
