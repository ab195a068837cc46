//! A service that restarts: a throttled card stays throttled for the next guard, an operator's leases go
//! on, and only a unit that stays down gives back. These tests set systemd's variables themselves;
//! `make package-test` uses a real systemd.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::applications::{SCALE, actuate, throttle, until};
use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::wait::wait_for;

/// As the unit sets it.
const UNIT: (&str, &str) = ("THERMAL_GUARD_UNIT", "thermal-guard.service");

fn guard() -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    Guard::new(machine, SCALE, "policy: { recovery_delay: 5s }")
}

fn is_capped(guard: &Guard) -> bool {
    limit(&guard.machine.gpu(0)) < guard.original(0)
}

fn capped(guard: &mut Guard) {
    guard.start();
    throttle(guard, "emergency");
    until(guard, "capped", || is_capped(guard));
}

/// The unit's own rule.
const SHIPPED: &str = "Restart=always\nRestartPreventExitStatus=2 78";

/// A systemctl that knows these jobs and this rule; an empty rule: it fails.
fn systemctl(guard: &Guard, jobs: &str, rule: &str) -> PathBuf {
    let path = guard.path("systemctl");
    let script = format!(
        "#!/bin/sh\ncase $1 in\nlist-jobs) printf '%s\\n' '{jobs}';;\nshow) printf '%s\\n' '{rule}';;\nis-system-running) echo running;;\nesac\n[ -n '{rule}' ]\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    path
}

/// `restore` as `ExecStopPost=` runs it after this end.
fn after(guard: &Guard, result: &str, status: &str) -> (Option<i32>, String) {
    after_by(guard, result, status, systemctl(guard, "", SHIPPED))
}

fn after_by(
    guard: &Guard,
    result: &str,
    status: &str,
    systemctl: PathBuf,
) -> (Option<i32>, String) {
    let mut restore = guard.command("restore");
    restore.args(["--wait=1s"]);
    restore.env(UNIT.0, UNIT.1);
    restore.env("THERMAL_GUARD_SYSTEMCTL", systemctl);
    restore
        .env("SERVICE_RESULT", result)
        .env("EXIT_STATUS", status);
    let output = restore.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), said)
}

#[test]
fn after_a_crash_a_card_that_is_cool_only_by_its_cap_keeps_it_for_the_guard_that_follows() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    for (result, status) in [("signal", "KILL"), ("watchdog", "ABRT"), ("exit-code", "1")] {
        let (code, said) = after(&guard, result, status);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("next guard"), "{said}");
        assert!(is_capped(&guard), "{result} {status}");
    }
    // The operator's lease goes on for its remaining time.
    guard.start();
    let asked = guard.metrics();
    let manual = asked.of(0, "thermal_guard_throttle_level", &[("source", "manual")]);
    assert_eq!(manual, Some(2.0));
    assert!(is_capped(&guard));
}

#[test]
fn a_start_that_a_mistake_refused_keeps_the_cap_until_the_file_is_corrected() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    guard.configure("gpu: all");
    let refused = guard.run("serve", &[]);
    assert_eq!(refused.status.code(), Some(78));
    // Nobody follows, and the thresholds that say when the card is cool are in the file.
    let (code, said) = after(&guard, "exit-code", "78");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("without a valid configuration"), "{said}");
    assert!(is_capped(&guard), "{said}");
    guard.configure("gpus: all");
    let (code, said) = after(&guard, "exit-code", "78");
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_capped(&guard), "{said}");
    // That time without a guard is in the report, and no death of a guard by `restore`'s word.
    let report = guard.run("report", &["--last=1h"]);
    let report = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(report.contains("start refused"), "{report}");
}

#[test]
fn a_guard_of_a_unit_leaves_it_to_the_unit_and_one_of_no_unit_gives_back_itself() {
    let mut by_hand = guard();
    capped(&mut by_hand);
    by_hand.stop();
    assert!(!is_capped(&by_hand), "nobody else would");
    let mut of_unit = guard();
    of_unit.set_env(UNIT.0, UNIT.1);
    capped(&mut of_unit);
    of_unit.stop();
    assert!(is_capped(&of_unit), "the unit decides");
    assert!(of_unit.log().contains("kept throttled"));
    of_unit.start();
    let taken_over = "continuing with what the guard before left throttled";
    until(&of_unit, "taken over", || {
        of_unit.log().contains(taken_over)
    });
}

#[test]
fn a_guard_that_will_only_observe_gives_nothing_back_so_restore_does() {
    let mut by_file = guard();
    capped(&mut by_file);
    by_file.kill();
    by_file.configure("mode: observe");
    let (code, said) = after(&by_file, "signal", "KILL");
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_capped(&by_file), "{said}");
    let mut by_flag = guard();
    capped(&mut by_flag);
    by_flag.kill();
    by_flag.set_env("ARGS", "--log.level=info --mode=observe");
    let (code, said) = after(&by_flag, "signal", "KILL");
    assert_eq!(code, Some(0), "{said}");
    assert!(!is_capped(&by_flag), "{said}");
}

#[test]
fn the_flag_of_the_service_decides_against_its_file() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    guard.configure("mode: observe");
    guard.set_env("ARGS", "--mode 'enforce'");
    let (code, said) = after(&guard, "signal", "KILL");
    assert_eq!(code, Some(0), "{said}");
    assert!(is_capped(&guard), "an enforcing guard follows: {said}");
}

#[test]
fn the_units_own_rule_and_its_queued_job_say_what_follows() {
    let job = "12 thermal-guard.service stop running";
    let never = "Restart=no\nRestartPreventExitStatus=";
    for (jobs, rule, is_followed) in [
        ("", never, false),
        (job, SHIPPED, false),
        ("12 thermal-guard.service restart waiting", never, true),
        ("12 other.service stop running", SHIPPED, true),
        ("12 thermal-guard.service reload running", SHIPPED, true),
        ("12 thermal-guard.service reload running", never, false),
    ] {
        let mut guard = guard();
        capped(&mut guard);
        guard.kill();
        let by = systemctl(&guard, jobs, rule);
        let (code, said) = after_by(&guard, "signal", "KILL", by);
        assert_eq!(code, Some(0), "{jobs} {rule}: {said}");
        assert_eq!(is_capped(&guard), is_followed, "{jobs} {rule}: {said}");
    }
}

/// As systemd 252 tells of it in `ExecStopPost=` of a start that a bad flag refused, and of a restart.
#[test]
fn after_a_start_that_a_mistake_refused_no_guard_follows() {
    let start = "12 thermal-guard.service start running";
    for (job, result, status, is_followed) in [
        (start, "exit-code", "2", false),
        (start, "exit-code", "78", false),
        (start, "signal", "KILL", true),
        (
            "12 thermal-guard.service start waiting",
            "exit-code",
            "2",
            true,
        ),
        (
            "12 thermal-guard.service restart running",
            "exit-code",
            "2",
            true,
        ),
    ] {
        let mut guard = guard();
        capped(&mut guard);
        guard.kill();
        let by = systemctl(&guard, job, SHIPPED);
        let (code, said) = after_by(&guard, result, status, by);
        assert_eq!(code, Some(0), "{job} {status}: {said}");
        assert_eq!(is_capped(&guard), is_followed, "{job} {status}: {said}");
    }
}

#[test]
fn a_systemctl_that_fails_is_no_answer() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    let by = systemctl(&guard, "", "");
    let (code, said) = after_by(&guard, "success", "0", by);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("systemd doesn't say"), "{said}");
    assert!(is_capped(&guard), "{said}");
}

#[test]
fn on_exit_keep_holds_for_the_restore_after_the_end_and_not_for_one_by_hand() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    guard.configure("on_exit: keep");
    let job = "12 thermal-guard.service stop running";
    let by = systemctl(&guard, job, SHIPPED);
    let (code, said) = after_by(&guard, "success", "0", by);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("on_exit: keep"), "{said}");
    assert!(is_capped(&guard), "{said}");
    let by_hand = guard.run("restore", &[]);
    assert!(by_hand.status.success());
    assert!(!is_capped(&guard));
}

#[test]
fn a_pause_goes_on_a_detach_ends_and_a_release_is_remembered() {
    let mut guard = guard();
    guard.start();
    actuate(
        &guard,
        "/api/v1/pauses",
        &json!({ "gpu": "0", "for": "30m" }),
    );
    actuate(&guard, "/-/detach", &json!({}));
    std::thread::sleep(Duration::from_millis(300));
    guard.kill();
    guard.start();
    let log = guard.log();
    assert!(log.contains("pause from before the restart"), "{log}");
    assert!(log.contains("a detach ends with the process"), "{log}");
    throttle(&guard, "gradual");
    let url = format!("--url={}", guard.url(""));
    let released = guard.run("release", &["--gpu=0", &url]);
    assert_eq!(released.status.code(), Some(0));
    std::thread::sleep(Duration::from_millis(300));
    guard.kill();
    guard.start();
    assert!(!guard.log().contains("an operator's lease from before"));
}

/// systemd tries each second for as long as the other guard runs.
#[test]
fn starts_beside_another_guard_are_one_line_in_the_log_of_events() {
    let mut guard = guard();
    guard.start();
    let told = || {
        let log = guard.path("state/events.jsonl");
        let text = fs::read_to_string(log).unwrap_or_default();
        let of = |word: &str| text.lines().filter(|line| line.contains(word)).count();
        (of("start_refused"), of("\"started\""), of("\"stopped\""))
    };
    wait_for("the start is told", || told() == (0, 1, 0));
    for _ in 0..3 {
        let refused = guard.run("serve", &[]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains("another thermal-guard"), "{said}");
        assert!(
            !said.contains("none matches"),
            "the lock is the reason: {said}"
        );
    }
    assert_eq!(told(), (1, 1, 0));
}
