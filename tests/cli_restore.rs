//! `restore`: what a guard killed in the heat left behind is given back, and only when safe.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

mod common;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use common::node::{Guard, Node, ORIGINAL_WATTS, run, stdout, wait_until};

#[test]
fn nothing_left_is_success_even_without_a_driver_or_a_valid_configuration() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, "nonsense: 1\n").unwrap();
    let state = format!("--state.dir={}", directory.path().display());
    let lock = format!("--lock.dir={}", directory.path().display());
    let config = format!("--config.file={}", file.display());
    let library = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let output = run(&["restore", library, &state, &lock, &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_hot_gpu_keeps_its_cap_and_a_cool_one_gets_everything_back() {
    let node = Node::with_a_dead_guards_remains();
    let capped = node.limit();
    let hot = node.run(&["restore", "--wait=1s"]);
    assert_eq!(hot.status.code(), Some(1), "{}", stdout(&hot));
    assert!(stdout(&hot).contains("above safe"), "{}", stdout(&hot));
    assert!((node.limit() - capped).abs() < f64::EPSILON && node.is_locked());
    assert_eq!(node.journals(), 1);

    node.cool();
    let watched = node.run(&["restore", "--dry-run"]);
    assert_eq!(watched.status.code(), Some(1), "{}", stdout(&watched));
    assert!((node.limit() - capped).abs() < f64::EPSILON && node.is_locked());

    let cool = node.run(&["restore", "--wait=1s"]);
    assert_eq!(cool.status.code(), Some(0), "{}", stdout(&cool));
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
    assert!(!node.is_locked());
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_restore_waits_for_the_gpu_to_cool_down() {
    let node = Node::with_a_dead_guards_remains();
    let mut restore = node.command(&["restore", "--wait=60s"]);
    let restore = restore.stdout(Stdio::null()).spawn().unwrap();
    node.cool();
    let mut restore = Guard(restore);
    wait_until("restored", || restore.0.try_wait().unwrap().is_some());
    assert!(restore.0.wait().unwrap().success());
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !node.is_locked());
}

#[test]
fn force_gives_back_in_the_heat() {
    let node = Node::with_a_dead_guards_remains();
    let output = node.run(&["restore", "--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !node.is_locked());
}

#[test]
fn an_unreadable_gpu_keeps_its_cap() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    for fault in ["failing-reads", "lost", "no-permission"] {
        node.machine.ctl(&["fault", fault]);
        let output = node.run(&["restore", "--wait=1s"]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{fault}: {}",
            stdout(&output)
        );
        assert!(node.limit() < ORIGINAL_WATTS, "{fault}");
        assert_eq!(node.journals(), 1, "{fault}");
    }
    node.machine.ctl(&["fault", "none"]);
    assert!(node.run(&["restore"]).status.success());
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
}

#[test]
fn somebody_elses_limit_is_left_alone_and_our_lock_is_not() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    node.machine.ctl(&["limit", "222"]);
    let output = node.run(&["restore"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("left alone"),
        "{}",
        stdout(&output)
    );
    assert!((node.limit() - 222.0).abs() < f64::EPSILON && !node.is_locked());
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_reloaded_driver_has_nothing_to_give_back() {
    let node = Node::with_a_dead_guards_remains();
    node.machine.ctl(&["driver-reload"]);
    let output = node.run(&["restore", "--wait=1s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("reloaded"), "{}", stdout(&output));
    assert!((node.limit() - 400.0).abs() < f64::EPSILON, "its default");
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_torn_journal_is_reported_and_kept() {
    let node = Node::new(&["a100-80gb"]);
    let gpus = node.state_dir().join("gpus");
    fs::create_dir_all(&gpus).unwrap();
    fs::write(gpus.join("GPU-1.json"), "{\"version\":").unwrap();
    let output = node.run(&["restore", "--wait=1s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("GPU-1.json"),
        "{}",
        stdout(&output)
    );
    assert_eq!(node.journals(), 1);
}

#[test]
fn a_restore_refuses_while_a_guard_runs() {
    let node = Node::with_a_dead_guards_remains();
    let capped = node.limit();
    let guard = node.serve();
    let pid = format!("pid {}", guard.0.id());
    wait_until("the guard has its lock", || {
        stdout(&node.run(&["check"])).contains(&pid)
    });
    let output = node.run(&["restore", "--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains(&pid), "{}", stdout(&output));
    assert!(node.limit() <= capped);
    assert_eq!(node.journals(), 1);
}

#[test]
fn a_hung_gpu_keeps_none_but_itself_from_being_given_back() {
    let node = Node::new(&["a100-80gb", "a100-80gb"]);
    let guard = node.serve();
    node.heat();
    let limit = |gpu: usize| node.machine.gpu(gpu)["limit_watts"].as_f64().unwrap();
    wait_until("throttled", || limit(0) < 400.0 && limit(1) < 400.0);
    drop(guard);
    node.cool();
    node.machine.ctl(&["fault", "--gpu=1", "hang"]);
    let output = node.run(&["restore", "--wait=0s"]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("doesn't answer"),
        "{}",
        stdout(&output)
    );
    assert!((limit(0) - 400.0).abs() < f64::EPSILON);
    assert!(limit(1) < 400.0);
    assert_eq!(node.journals(), 1);
}

#[test]
fn an_app_is_told_to_go_on_once_its_gpu_is_given_back() {
    let node = Node::new(&["a100-80gb"]);
    let file = node.directory.path().join("app.env");
    fs::write(&file, "SIZE=4\n").unwrap();
    let config = node.directory.path().join("config.yaml");
    let yaml =
        "apps: [{ name: app, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }]";
    fs::write(&config, yaml).unwrap();
    let config = format!("--config.file={}", config.display());
    let guard = node.serve_with(&[&config]);
    node.heat();
    let said = || fs::read_to_string(&file).unwrap();
    wait_until("told", || said() == "SIZE=1\n" && node.is_locked());
    drop(guard);
    let hot = node.run(&["restore", "--wait=0s", &config]);
    assert_eq!(hot.status.code(), Some(1), "{}", stdout(&hot));
    assert_eq!(said(), "SIZE=1\n");
    node.cool();
    let cool = node.run(&["restore", &config]);
    assert_eq!(cool.status.code(), Some(0), "{}", stdout(&cool));
    assert_eq!(said(), "SIZE=4\n");
    let again = node.run(&["restore", &config]);
    assert!(stdout(&again).contains("nothing"), "{}", stdout(&again));
}

/// The journal of a dead guard, as if it had died at another moment.
fn rewrite_journal(node: &Node, change: impl FnOnce(&mut Value)) {
    let uuid = node.machine.gpu(0)["uuid"].as_str().unwrap().to_owned();
    let directory = node.state_dir().join("gpus");
    let path = directory.join(format!("{uuid}.json"));
    // Killed before the newest had its name.
    let unnamed = directory.join(format!(".{uuid}.json.thermal-guard"));
    let newest = if unnamed.exists() { &unnamed } else { &path };
    let mut journal = serde_json::from_slice(&fs::read(newest).unwrap()).unwrap();
    change(&mut journal);
    fs::write(newest, serde_json::to_vec(&journal).unwrap()).unwrap();
    fs::rename(newest, &path).unwrap();
}

/// Killed between the setter and the read-back of it: the last it knows is what it asked for.
fn asked_for(node: &Node, milliwatts: u32, confirmed: bool) {
    rewrite_journal(node, |journal| {
        journal["confirmed"] = confirmed.into();
        journal["limit"]["previous_milliwatts"] = journal["limit"]["original_milliwatts"].clone();
        journal["limit"]["next_milliwatts"] = milliwatts.into();
    });
}

#[track_caller]
fn assert_said(output: &Output, code: i32, words: &[&str]) {
    let said = stdout(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

fn is_at(node: &Node, watts: f64) -> bool {
    (node.limit() - watts).abs() < f64::EPSILON
}

#[test]
fn what_a_card_made_of_a_write_that_was_never_read_back_is_given_back() {
    // Rounded, and clamped.
    for (has, asked) in [("250", 252_345), ("250", 100_000)] {
        for confirmed in [false, true] {
            let node = Node::with_a_dead_guards_remains();
            node.cool();
            node.machine.ctl(&["limit", has]);
            asked_for(&node, asked, confirmed);
            let output = node.run(&["restore", "--wait=1s"]);
            if confirmed {
                // The control: what was read back as something else, somebody else has set.
                assert_said(&output, 0, &["left alone", "250 W", "387.7 W"]);
                assert!(is_at(&node, 250.0));
            } else {
                assert_said(&output, 0, &["gave back the power limit 387.7 W"]);
                assert!(is_at(&node, ORIGINAL_WATTS), "{} W", node.limit());
            }
            assert!(!node.is_locked() && node.journals() == 0);
        }
    }
}

#[test]
fn a_new_guard_goes_on_with_what_a_card_made_of_a_write_that_was_never_read_back() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    node.machine.ctl(&["limit", "250"]);
    asked_for(&node, 252_345, false);
    let _guard = node.serve();
    wait_until("all given back", || {
        is_at(&node, ORIGINAL_WATTS) && !node.is_locked() && node.journals() == 0
    });
}

#[test]
fn a_card_that_rounds_has_its_limit_back_as_nearly_as_it_stores_it() {
    for (setter, stored) in [
        ("quantise=1,offset=1", 387.653),
        ("quantise=5000", 385.0),
        ("quantise=5000,offset=1", 384.999),
    ] {
        let node = Node::with_a_dead_guards_remains();
        node.cool();
        node.machine.ctl(&["setter", "power-limit", setter]);
        let output = node.run(&["restore", "--wait=1s"]);
        assert_said(&output, 0, &["gave back"]);
        assert!(is_at(&node, stored), "{setter}: {} W", node.limit());
        assert_eq!(node.journals(), 0, "{setter}");
    }
}

/// However near: it may take the original another day.
#[test]
fn a_card_that_clamps_keeps_its_journal_and_both_limits_are_named() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    for clamp in [250, 385] {
        let setter = format!("clamp=100000:{clamp}000");
        node.machine.ctl(&["setter", "power-limit", &setter]);
        let output = node.run(&["restore", "--wait=1s"]);
        let has = format!("the card has {clamp} W");
        assert_said(&output, 1, &["kept", "387.7 W", &has]);
        assert!(is_at(&node, f64::from(clamp)));
        assert_eq!(node.journals(), 1);
    }
    node.machine.ctl(&["setter", "power-limit", "none"]);
    assert_said(&node.run(&["restore"]), 0, &["gave back"]);
    assert!(is_at(&node, ORIGINAL_WATTS) && !node.is_locked());
}

#[test]
fn a_card_that_ignores_writes_keeps_the_claim_on_its_lock_too() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    node.machine.ctl(&["fault", "ignored-writes"]);
    let output = node.run(&["restore", "--wait=1s"]);
    assert_said(&output, 1, &["the power limit 387.7 W", "the SM clock"]);
    assert!(node.is_locked());
    node.machine.ctl(&["fault", "none"]);
    assert_said(&node.run(&["restore"]), 0, &["gave back"]);
    assert!(is_at(&node, ORIGINAL_WATTS) && !node.is_locked());
}

/// A card whose limit lies over what it takes now, throttled by a guard.
fn out_of_its_range() -> (Node, Guard) {
    let node = Node::new(&["a100-80gb"]);
    let facts = ["facts", "min_w=150", "max_w=300", "limit_w=330"];
    node.machine.ctl(&facts);
    let guard = node.serve();
    node.heat();
    wait_until("throttled", || node.limit() < 300.0 && node.is_locked());
    (node, guard)
}

const NEAREST: &str = "330 W isn't taken any more (150 W to 300 W): 300 W is set, the nearest";

#[test]
fn an_original_that_is_out_of_range_by_now_is_replaced_by_the_nearest() {
    let (node, guard) = out_of_its_range();
    drop(guard);
    node.cool();
    let output = node.run(&["restore", "--wait=1s"]);
    assert_said(&output, 0, &[NEAREST, "gave back the SM clock"]);
    assert!(is_at(&node, 300.0) && !node.is_locked());
    assert_eq!(node.journals(), 0);
    assert_said(&node.run(&["restore"]), 0, &["nothing is left"]);
}

#[test]
fn a_running_guard_waits_for_the_range_that_held_the_original() {
    let (node, _guard) = out_of_its_range();
    node.cool();
    wait_until("the nearest is set", || {
        is_at(&node, 300.0) && !node.is_locked()
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(node.journals(), 1, "claimed on");
    node.machine.ctl(&["facts", "max_w=own"]);
    wait_until("given back", || is_at(&node, 330.0) && node.journals() == 0);
}

#[test]
fn a_guard_that_stops_leaves_an_original_out_of_range_to_restore() {
    let (node, mut guard) = out_of_its_range();
    node.cool();
    wait_until("the nearest is set", || is_at(&node, 300.0));
    let term = Command::new("kill").arg(guard.0.id().to_string()).status();
    assert!(term.unwrap().success());
    wait_until("stopped", || guard.0.try_wait().unwrap().is_some());
    assert!(is_at(&node, 300.0) && node.journals() == 1);
    assert_said(&node.run(&["restore"]), 0, &[NEAREST]);
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_sensor_that_the_dead_guard_doubted_must_prove_itself_or_be_overruled() {
    for doubt in ["frozen", "missing"] {
        let node = Node::with_a_dead_guards_remains();
        let capped = node.limit();
        node.cool();
        let well = node.machine.gpu(0)["die"].as_f64().unwrap();
        assert!(well < 60.0, "{well} °C: nothing but the doubt holds it");
        rewrite_journal(&node, |journal| {
            journal["state"] = "blind".into();
            journal["doubts"] = serde_json::json!({ "core": doubt });
        });
        if doubt == "missing" {
            node.machine.ctl(&["answer", "temperature", "999"]);
            node.machine.ctl(&["answer", "temperature-v", "999"]);
        }
        let output = node.run(&["restore", "--wait=1s"]);
        let why = match doubt {
            "missing" => "its core sensor can't be read",
            _ => "its core sensor isn't believed (frozen)",
        };
        assert_said(&output, 1, &["kept", why, "--force"]);
        assert!(is_at(&node, capped) && node.is_locked() && node.journals() == 1);
        assert_said(&node.run(&["restore", "--force"]), 0, &["gave back"]);
        assert!(is_at(&node, ORIGINAL_WATTS) && !node.is_locked());
    }
}
