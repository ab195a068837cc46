//! A service that is started again: what was throttled stays so for the guard that follows, what an
//! operator said goes on, and only a unit that stays down gives back. What systemd says is put into
//! the environment here; `make package-test` asks a real one.

use std::time::Duration;

use serde_json::json;

use crate::applications::{SCALE, actuate, throttle, until};
use crate::common::guard::{Guard, limit};
use crate::common::nvml_sim::Machine;

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

/// `restore` as `ExecStopPost=` runs it after this end.
fn after(guard: &Guard, result: &str, status: &str) -> (Option<i32>, String) {
    let mut restore = guard.command("restore");
    restore.args(["--wait=1s"]);
    restore.env(UNIT.0, UNIT.1);
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
    // The operator's lease goes on, with what it has left.
    guard.start();
    let asked = guard.metrics();
    let manual = asked.of(0, "thermal_guard_throttle_level", &[("source", "manual")]);
    assert_eq!(manual, Some(2.0));
    assert!(is_capped(&guard));
}

#[test]
fn a_start_that_a_mistake_refused_is_followed_by_nobody_and_gives_back() {
    let mut guard = guard();
    capped(&mut guard);
    guard.kill();
    guard.configure("gpu: all");
    let refused = guard.run("serve", &[]);
    assert_eq!(refused.status.code(), Some(78));
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
    assert!(log.contains("a detach ends with it"), "{log}");
    throttle(&guard, "gradual");
    let url = format!("--url={}", guard.url(""));
    let released = guard.run("release", &["--gpu=0", &url]);
    assert_eq!(released.status.code(), Some(0));
    std::thread::sleep(Duration::from_millis(300));
    guard.kill();
    guard.start();
    assert!(!guard.log().contains("an operator's lease from before"));
}
