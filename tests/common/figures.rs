//! Figures that a test measured, for people. No test fails by them.

use std::io::Write;
use std::time::Instant;

/// Prints a figure. It bypasses the test runner, which hides the output of tests that pass.
pub(crate) fn tell(figure: &str) {
    let _ = writeln!(std::io::stdout(), "measured: {figure}");
}

/// Prints how long something took.
pub(crate) fn measured(what: &str, since: Instant) {
    tell(&format!("{what}: {:.2} s", since.elapsed().as_secs_f64()));
}
