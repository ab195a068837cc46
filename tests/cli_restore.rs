//! `restore`: what a guard killed in the heat left behind is given back, and only when safe.

mod common;

use std::fs;
use std::process::Stdio;

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
