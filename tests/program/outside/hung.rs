//! A disk that doesn't answer. strace plays it: it delays the calls that open a file.

use std::path::PathBuf;

use super::logs::assert_logfmt;
use super::scene::{hot, uuid};
use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::needs::needs;

/// The directory of the journals, by whose handle they are opened, and the files by their paths, for
/// a guard that opens them so.
fn journals(guard: &Guard) -> Vec<PathBuf> {
    let name = format!("{}.json", uuid(&guard.machine));
    vec![
        guard.path("state/gpus"),
        guard.path(&format!("state/gpus/{name}")),
        guard.path(&format!("state/gpus/.{name}.thermal-guard")),
    ]
}

/// The journal of a dead guard is on a disk that hangs at the start. A guard once didn't open the GPU
/// until the disk answered.
#[test]
fn a_journal_that_cannot_be_read_yet_is_taken_up_later_and_never_overwritten() {
    needs!("strace");
    let mut guard = Guard::started(hot(), 10, "");
    guard.wait_throttled(0);
    guard.kill();
    let left = limit(&guard.machine.gpu(0));
    let original = guard.original(0);
    assert!(left < original);

    // Twenty seconds of the wall, two hundred of the card's: it gets hot long before.
    guard.strace("openat:delay_enter=20000000:when=1", &journals(&guard));
    guard.start();
    let said = guard.logged(&["journal can't be read now", &uuid(&guard.machine)]);
    assert_eq!(
        said.len(),
        1,
        "guarded before the disk answers: {}",
        guard.log()
    );
    let name = "thermal_guard_journal_failures_total";
    guard.wait("it shows", |metrics| metrics.of(0, name, &[]) > Some(0.0));
    let taken_up = || guard.logged(&["what the guard before left throttled"]);
    assert!(taken_up().is_empty());
    // Meanwhile the guard acts on its heat: an emergency goes below the limit that was left.
    guard.machine.ctl(&["set", "inlet=60"]);
    guard.wait_gpu(0, "throttled further", |card| limit(card) < left);

    guard.wait("taken up", |_| !taken_up().is_empty());
    guard.cool(0);
    guard.assert_given_back();
    assert_logfmt(&guard.log());
}
