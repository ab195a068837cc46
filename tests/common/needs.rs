//! What a test needs and a machine may lack. A test that lacks it says so, and passes.
//!
//! `THERMAL_GUARD_TEST_REQUIRE=all`, which `make test` sets, turns a missing program into a failure.

#![allow(
    clippy::panic,
    reason = "a test without what it must have fails by panic"
)]

use std::env;
use std::io::Write;
use std::path::Path;
use std::thread;

/// Set to `all`: no test may be skipped for a missing program.
const REQUIRE: &str = "THERMAL_GUARD_TEST_REQUIRE";

/// Ends the calling test if one of these programs is missing.
macro_rules! needs {
    ($($program:literal),+ $(,)?) => {
        if crate::common::needs::lacks(&[$($program),+]) {
            return;
        }
    };
}
pub(crate) use needs;

/// Whether one of these programs is missing. Says so, or fails if it must be there.
#[track_caller]
pub(crate) fn lacks(programs: &[&str]) -> bool {
    let Some(missing) = programs.iter().find(|program| !is_installed(program)) else {
        return false;
    };
    assert!(
        env::var_os(REQUIRE).is_none_or(|required| required != "all"),
        "{missing} is missing, and {REQUIRE}=all: try `make install-deps`"
    );
    skipped(&format!("{missing} is missing"));
    true
}

/// Says that this test shows nothing here, and why: a right that this user doesn't have, a program
/// that isn't installed. `make test` counts these lines.
pub(crate) fn skipped(why: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // It bypasses the test runner, which hides the output of tests that pass.
    let _ = writeln!(std::io::stdout(), "skipped: {test}: {why}");
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
