//! One guard after another, and two at once: which of them may touch a GPU, and how the next one treats
//! the state that the last one left.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::common::card::limit;
use crate::common::delivery::{delivery, uuid};
use crate::common::guard::Guard;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::{PATIENCE, wait_for, wait_until};

const CONFIG: &str = "policy: { recovery_delay: 10s }";

/// A guard on one GPU with an operator's limit, that throttled it for heat.
fn throttling() -> Guard {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "392.5"]);
    let guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    guard.wait_throttled(0);
    guard
}

fn journal(guard: &Guard) -> PathBuf {
    guard.path(&format!("state/gpus/{}.json", uuid(0)))
}

/// Makes the journal say this, too.
fn falsify(guard: &Guard, key: &str, value: Value) {
    let text = fs::read_to_string(journal(guard)).unwrap();
    let mut record: Value = serde_json::from_str(&text).unwrap();
    record[key] = value;
    fs::write(journal(guard), record.to_string()).unwrap();
}

/// Somebody else's guard: with a state directory of its own, and a port.
fn other(guard: &Guard) -> Command {
    let known = guard.command("serve");
    let state = guard.path("other-state");
    let args = known.get_args().map(|arg| {
        if arg.to_string_lossy().starts_with("--state.dir=") {
            format!("--state.dir={}", state.display()).into()
        } else {
            arg.to_owned()
        }
    });
    let mut command = guard.machine.command(known.get_program().as_ref());
    command.args(args).arg("--web.listen-address=127.0.0.1:0");
    command
}

#[test]
fn a_second_guard_with_another_state_directory_refuses_and_touches_nothing() {
    let guard = throttling();
    let second = other(&guard).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8_lossy(&second.stderr);
    let holder = format!("pid {}", guard.pid());
    assert!(said.contains(&holder) && said.contains(&uuid(0)), "{said}");
    assert!(limit(&guard.machine.gpu(0)) < guard.original(0));
    assert!(!guard.path("other-state/gpus").exists());
    guard.cool(0);
    guard.assert_given_back();
}

/// The control: the same command takes the GPU when no other guard has it.
#[test]
fn the_second_guard_would_have_started() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    let guard = Guard::new(machine, 20, CONFIG);
    let mut second = other(&guard).spawn().unwrap();
    let lock = guard.path(&format!("lock/{}.lock", uuid(0)));
    let started = wait_until(PATIENCE, || lock.exists());
    let ended = second.try_wait().unwrap();
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(started && ended.is_none());
}

#[test]
fn an_upgrade_in_mid_throttle_keeps_the_cap_and_what_was_before() {
    let mut guard = throttling();
    // As systemd does it: stop, ExecStopPost, start.
    assert_eq!(guard.stop(), Some(0));
    let capped = limit(&guard.machine.gpu(0));
    assert!(capped < guard.original(0));
    assert_eq!(guard.run("restore", &["--wait=0s"]).status.code(), Some(1));
    assert_eq!(limit(&guard.machine.gpu(0)), capped);
    guard.start();
    guard.wait_state(0, "gradual");
    assert_eq!(guard.status()["gpus"][0]["limit"]["original"], 392.5);
    guard.cool(0);
    guard.assert_given_back();
}

/// A limit as the dead guard left it, but which another program has set since the machine booted.
#[test]
fn after_a_reboot_a_limit_is_the_operators_whatever_the_journal_says() {
    let mut guard = throttling();
    guard.kill();
    falsify(&guard, "boot_id", json!("another boot"));
    guard.cool(0);
    guard.machine.ctl(&["advance", "600"]);
    let theirs = limit(&guard.machine.gpu(0));
    assert!(theirs < guard.original(0));
    let restored = guard.run("restore", &["--wait=0s"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(limit(&guard.machine.gpu(0)), theirs);
    assert_eq!(guard.journals(), 0);
}

/// As after a downgrade: an older version must not lose what it can't read.
#[test]
fn a_newer_guards_journal_is_set_aside_and_not_overwritten() {
    let mut guard = throttling();
    guard.kill();
    falsify(&guard, "version", json!(99));
    let newer = fs::read_to_string(journal(&guard)).unwrap();
    guard.start();
    guard.machine.ctl(&["set", "load=1", "inlet=90"]);
    guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    // It reads the journal beside the ticks.
    wait_for("the journal set aside", || {
        !guard.logged(&["journal not readable"]).is_empty()
    });
    let aside = journal(&guard).with_extension("json.unreadable");
    assert_eq!(fs::read_to_string(aside).unwrap(), newer);
}

#[test]
fn on_exit_keep_leaves_even_a_cool_gpu_throttled_and_restore_gives_it_back() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "273.5"]);
    let mut guard = Guard::started(machine, 20, "{ on_exit: keep }");
    let emergency = delivery("firing", "emergency", 0, SystemTime::now());
    assert_eq!(guard.hook(&emergency), 200);
    guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    assert_eq!(guard.stop(), Some(0));
    let card = guard.machine.gpu(0);
    assert_eq!(limit(&card), 100.0);
    assert!(!card["sm_lock_mhz"].is_null());
    assert_eq!(guard.journals(), 1);
    let restored = guard.run("restore", &["--wait=60s"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    guard.assert_given_back();
}

/// NVML can't tell whose a lock is: only the journal can.
#[test]
fn a_clock_lock_that_is_not_ours_outlives_a_throttle_and_a_restore() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "392.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    // A lease takes a gradual's limit, and never a lock.
    let gradual = delivery("firing", "gradual", 0, SystemTime::now());
    assert_eq!(guard.hook(&gradual), 200);
    guard.wait_throttled(0);
    guard.machine.ctl(&["lock", "sm", "210", "1200"]);
    let is_theirs = |guard: &Guard| {
        let card = guard.machine.gpu(0);
        card["sm_lock_mhz"] == json!([210, 1200])
    };
    assert!(is_theirs(&guard), "{:#}", guard.machine.gpu(0));
    let record = fs::read_to_string(journal(&guard)).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["gpu_clock_locked"], false, "only the limit is ours");
    guard.kill();
    let restored = guard.run("restore", &["--wait=60s"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    assert_eq!(limit(&guard.machine.gpu(0)), guard.original(0));
    assert!(is_theirs(&guard));
}
