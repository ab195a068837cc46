//! One of the targets under libFuzzer: `THERMAL_GUARD_FUZZ` names it. `make fuzz` runs them all.
#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("THERMAL_GUARD_FUZZ").unwrap_or_default();
    let known = targets::ALL.iter().find(|target| target.name == name);
    known.unwrap_or_else(|| panic!("THERMAL_GUARD_FUZZ={name} names no target")).run
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
