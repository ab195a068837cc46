//! State directories on disks that are full, or can only be read: real ones, which only root can
//! mount. Protection doesn't depend on them. Giving back needs a journal, and the lock directory is its
//! spare; where that fails as well, giving back waits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::needs::skipped;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::holds_for;

const CONFIG: &str = "policy: { recovery_delay: 10s }";

/// A small disk of its own, unmounted with the value.
struct Disk {
    at: PathBuf,
}

impl Disk {
    /// `None`: not as this user, or not here.
    fn mounted(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mount = run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"], at);
        mount.then(|| Self { at: at.to_owned() })
    }

    fn fill(&self) {
        // It writes until the disk is full, so it must end with an error.
        let _ = fs::write(self.at.join("filler"), vec![0; 1 << 20]);
    }

    fn clear(&self) {
        fs::remove_file(self.at.join("filler")).unwrap();
    }

    fn remount(&self, how: &str) {
        let done = run("mount", &["-o", &format!("remount,{how}")], &self.at);
        assert!(done, "remounted {how}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["--lazy"], &self.at);
    }
}

fn run(program: &str, args: &[&str], path: &Path) -> bool {
    let mut command = Command::new(program);
    let status = command.args(args).arg(path).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// A guard that isn't running yet, and the disk with its state.
fn guard_with_disk() -> Option<(Guard, Disk)> {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "392.5"]);
    let guard = Guard::new(machine, 20, CONFIG);
    let Some(disk) = Disk::mounted(&guard.path("state")) else {
        skipped("this user can't mount a disk");
        return None;
    };
    Some((guard, disk))
}

fn journal_failures(guard: &Guard) -> Option<f64> {
    guard
        .metrics()
        .of(0, "thermal_guard_journal_failures_total", &[])
}

/// The lock directory takes no journal, either.
fn without_spare(guard: &Guard) {
    fs::create_dir_all(guard.path("lock")).unwrap();
    fs::write(guard.path("lock/gpus"), "in the way").unwrap();
}

#[test]
fn a_guard_on_a_full_disk_gives_back_what_it_took_even_after_a_crash() {
    let Some((mut guard, disk)) = guard_with_disk() else {
        return;
    };
    disk.fill();
    guard.start();
    guard.heat(0);
    guard.wait_throttled(0);
    assert!(journal_failures(&guard) > Some(0.0), "and it shows");
    assert_eq!(guard.journals(), 0);
    assert!(
        !guard
            .logged(&["journal not written", "--lock.dir"])
            .is_empty()
    );
    guard.kill();

    guard.start();
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn without_any_journal_a_guard_throttles_and_gives_back_once_there_is_one() {
    let Some((mut guard, disk)) = guard_with_disk() else {
        return;
    };
    disk.fill();
    without_spare(&guard);
    guard.start();
    guard.heat(0);
    guard.wait_throttled(0);
    assert!(journal_failures(&guard) > Some(0.0), "and it shows");
    assert_eq!(guard.journals(), 0);
    assert!(!guard.logged(&["journal not written"]).is_empty());

    guard.cool(0);
    guard.wait_state(0, "recovering");
    holds_for(
        Duration::from_secs(2),
        "not raised without a journal",
        || limit(&guard.machine.gpu(0)) < guard.original(0),
    );
    disk.clear();
    guard.assert_given_back();
}

#[test]
fn a_disk_that_turned_read_only_stops_no_emergency() {
    let Some((mut guard, disk)) = guard_with_disk() else {
        return;
    };
    guard.start();
    guard.heat(0);
    guard.wait_throttled(0);
    // A file that is open for writing prevents a remount.
    guard.kill();
    disk.remount("ro");
    guard.start();
    guard.machine.ctl(&["set", "load=1", "inlet=90"]);
    guard.wait_gpu(0, "at its minimum, locked", |card| {
        limit(card) == 100.0 && !card["sm_lock_mhz"].is_null()
    });
    assert!(journal_failures(&guard) > Some(0.0));

    disk.remount("rw");
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn a_guard_that_leaves_a_cap_no_journal_knows_of_names_the_original_limit() {
    let Some((mut guard, disk)) = guard_with_disk() else {
        return;
    };
    disk.fill();
    without_spare(&guard);
    guard.start();
    guard.heat(0);
    guard.wait_throttled(0);
    let original = guard.original(0);
    guard.stop();
    assert!(limit(&guard.machine.gpu(0)) < original, "it is hot");
    let said = guard.logged(&["journal isn't on disk", "nvidia-smi -pl"]);
    let named = format!("original_watts={original}");
    assert!(said.iter().any(|line| line.contains(&named)), "{said:?}");
}
