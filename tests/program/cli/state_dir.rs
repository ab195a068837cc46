//! One guard per state directory, simulated ones included.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests start programs, and fail by panic"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::common::guard::Guard;
use crate::common::process::{Running, program, run, stderr, stdout};
use crate::common::wait::{PATIENCE, wait_for, wait_until};

fn serve(directory: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(["serve", "--simulate", "--web.listen-address=127.0.0.1:0"])
        .arg(format!("--state.dir={}", directory.display()))
        .args(flags)
        .env_remove("THERMAL_GUARD_NVML_LIBRARY");
    command
}

/// Runs until it is dropped; its start is in the event log.
fn running(directory: &Path, flags: &[&str]) -> Running {
    let starts = starts(directory);
    let log = directory.with_extension("log");
    let log = fs::File::options().create(true).append(true).open(log);
    let mut command = serve(directory, flags);
    let child = command.stdout(Stdio::null()).stderr(log.unwrap()).spawn();
    let running = Running::new(child.unwrap());
    wait_for("its start is logged", || self::starts(directory) > starts);
    running
}

fn starts(directory: &Path) -> usize {
    let text = fs::read_to_string(directory.join("events.jsonl")).unwrap_or_default();
    text.lines()
        .filter(|line| line.contains("\"started\""))
        .count()
}

fn deaths(directory: &Path) -> Value {
    let state = format!("--state.dir={}", directory.display());
    let output = run(&["report", "--json", &state]);
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    report["guard"]["deaths"].clone()
}

#[test]
fn a_second_simulated_guard_is_refused_with_the_first_ones_pid_and_a_remedy() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("state");
    let first = running(&state, &[]);
    let second = serve(&state, &[]).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{}", stderr(&second));
    let said = stderr(&second);
    for word in [
        &format!("pid {}", first.pid()),
        "another thermal-guard",
        "--state.dir",
    ] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert_eq!(deaths(&state), 0, "nobody died");
    // A directory of its own is all that it lacks.
    let _other = running(&dir.path().join("other"), &[]);
}

#[test]
fn a_killed_guard_leaves_no_lock_and_its_death_is_told() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("state");
    drop(running(&state, &[]));
    let _next = running(&state, &[]);
    assert_eq!(deaths(&state), 1);
}

/// The report tells the two apart.
#[test]
fn a_guard_that_only_observes_may_share_the_directory() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("state");
    let _first = running(&state, &[]);
    let _observer = running(&state, &["--mode=observe"]);
    assert_eq!(deaths(&state), 0);
    let third = serve(&state, &["--mode=observe"]).output().unwrap();
    assert_eq!(third.status.code(), Some(1), "{}", stderr(&third));
}

#[test]
fn a_second_guard_over_the_same_cards_is_refused_and_touches_nothing() {
    let mut guard = Guard::on(&["a100-80gb"]);
    guard.start();
    let mut second = guard.spawn();
    assert!(wait_until(PATIENCE, || second.ended().is_some()));
    assert_eq!(second.ended().unwrap().code(), Some(1));
    let holder = format!("pid {}", guard.pid());
    assert_eq!(guard.logged(&[&holder, "--state.dir"]).len(), 1);
    assert!(guard.get("/-/healthy").is_ok());
}
