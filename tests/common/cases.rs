//! Random cases: the same each time in continuous integration, new ones on a developer's machine.
//! `make properties` asks for many times as many.

#![allow(clippy::expect_used, reason = "a test fails by panic")]

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// How many times as many cases.
const TIMES: &str = "THERMAL_GUARD_CASES";

pub(crate) fn times() -> u32 {
    let times = std::env::var(TIMES).ok();
    times.map_or(1, |it| it.parse().expect("a whole number"))
}

pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: cases * times(),
        rng_seed: match std::env::var_os("CI") {
            Some(_) => RngSeed::Fixed(20_261_129),
            None => RngSeed::Random,
        },
        ..ProptestConfig::default()
    }
}
