//! Waiting by the wall clock: for a condition, never for a time.

#![allow(
    clippy::disallowed_methods,
    reason = "tests wait by the wall clock, and fail by panic"
)]

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a busy machine with two cores gets for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until `condition` holds. False: it didn't within `limit`.
pub(crate) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > limit {
            return false;
        }
        sleep(PAUSE);
    }
    true
}

/// Waits until `condition` holds, and fails after [`PATIENCE`].
#[track_caller]
pub(crate) fn wait_for(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        wait_until(PATIENCE, condition),
        "not within {PATIENCE:?}: {what}"
    );
}

/// Checks for this long that `condition` holds.
#[track_caller]
pub(crate) fn holds_for(time: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < time {
        assert!(condition(), "no longer: {what}");
        sleep(Duration::from_millis(100));
    }
}
