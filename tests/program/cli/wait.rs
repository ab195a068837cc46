//! `wait`, with and without a running guard.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

use std::process::Output;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::client::answering;
use crate::common::guard::Guard;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::process::{run, stderr, stdout};

const COOL: Option<i32> = Some(0);
const CANNOT_ASK: Option<i32> = Some(1);
const USAGE: Option<i32> = Some(2);
const TIMED_OUT: Option<i32> = Some(75);

/// Short enough for a test, at twenty times the pace of the wall.
const SOON: [&str; 3] = ["--for=10s", "--timeout=2m", "--json"];
const NEVER: [&str; 3] = ["--for=10s", "--timeout=40s", "--json"];

fn wait(guard: &Guard, arguments: &[&str]) -> Output {
    guard.run("wait", arguments)
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

#[test]
fn without_a_guard_it_reads_the_cards_and_writes_nothing() {
    let guard = Guard::on(&["a100-80gb", "rtx-4090"]);
    let output = wait(&guard, &SOON);
    assert_eq!(output.status.code(), COOL, "{}", stderr(&output));
    let said = stderr(&output);
    assert!(
        said.contains("GPU 0, GPU 1") && said.contains("asking the driver"),
        "{said}"
    );
    assert!(said.contains("cool after"), "{said}");
    let result = json(&output);
    assert_eq!(result["result"], "cool");
    assert!(result["cool_for_seconds"].as_f64().unwrap() >= 10.0);
    assert!(
        result["waited_seconds"].as_f64().unwrap() >= 10.0,
        "not at the first look"
    );
    assert_eq!(result["gpus"].as_array().unwrap().len(), 2);
    assert!(!guard.machine.trace().exists(), "it wrote to a card");
}

#[test]
fn a_hot_card_times_out_and_is_named_and_only_if_it_is_asked_for() {
    let guard = Guard::new(Machine::create(&["a100-80gb"; 2], &[]), 20, "");
    guard
        .machine
        .ctl(&["set", "--gpu", "1", "load=1", "airflow=0.85"]);
    guard.machine.ctl(&["advance", "900"]);
    let output = wait(&guard, &[&NEVER[..], &["--below=60"]].concat());
    assert_eq!(output.status.code(), TIMED_OUT, "{}", stderr(&output));
    let last = stderr(&output).lines().last().unwrap().to_owned();
    assert!(last.contains("timed out after 40s: GPU 1 at "), "{last}");
    assert!(
        last.contains("above 60.0 °C") && !last.contains("GPU 0"),
        "{last}"
    );
    assert_eq!(json(&output)["gpus"][1]["cool"], false);
    let other = wait(&guard, &[&SOON[..], &["--below=60", "--gpu=0"]].concat());
    assert_eq!(other.status.code(), COOL, "{}", stderr(&other));
}

#[test]
fn it_ends_when_the_card_has_cooled_down_and_stayed_so() {
    let guard = Guard::new(Machine::warm(&["a100-80gb"], &WORKING), 20, "");
    thread::scope(|scope| {
        let output = scope.spawn(|| wait(&guard, &["--below=60", "--for=10s", "--timeout=30m"]));
        thread::sleep(Duration::from_millis(500));
        assert!(!output.is_finished());
        guard.machine.ctl(&["set", "load=0", "airflow=1"]);
        let output = output.join().unwrap();
        assert_eq!(output.status.code(), COOL, "{}", stderr(&output));
        assert!(stdout(&output).is_empty());
    });
}

#[test]
fn a_card_that_can_t_be_read_is_not_cool_with_and_without_a_guard() {
    let mut guard = Guard::on(&["a100-80gb"]);
    for call in ["temperature", "temperature-v"] {
        guard.machine.ctl(&["answer", call, "999"]);
    }
    let output = wait(&guard, &NEVER);
    assert_eq!(output.status.code(), TIMED_OUT, "{}", stderr(&output));
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let output = wait(&guard, &[&NEVER[..], &[&url]].concat());
    assert_eq!(output.status.code(), TIMED_OUT, "{}", stderr(&output));
    let why = json(&output)["gpus"][0]["why"].clone();
    assert!(why.as_str().unwrap().contains("core sensor"), "{why}");
    guard.machine.ctl(&["answer", "--clear"]);
    let output = wait(&guard, &[&SOON[..], &[&url]].concat());
    assert_eq!(output.status.code(), COOL, "{}", stderr(&output));
}

#[test]
fn a_running_guard_is_asked_by_any_name_of_a_card() {
    let guard = Guard::started(Machine::create(&["a100-80gb"; 2], &[]), 20, "");
    let url = format!("--url={}", guard.url(""));
    let gpu = guard.status()["gpus"][1].clone();
    let (uuid, pci) = (
        gpu["uuid"].as_str().unwrap(),
        gpu["pci_bus_id"].as_str().unwrap(),
    );
    for name in ["all", "1", uuid, pci] {
        for below in ["safe", "alert", "70"] {
            let (name, below) = (format!("--gpu={name}"), format!("--below={below}"));
            let output = wait(&guard, &[&SOON[..], &[&url, &name, &below]].concat());
            assert_eq!(
                output.status.code(),
                COOL,
                "{name} {below}: {}",
                stderr(&output)
            );
            let result = json(&output);
            assert!(result["asked"].as_str().unwrap().contains(&guard.url("")));
            assert!(
                result["gpus"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|it| it["uuid"] == uuid)
            );
        }
    }
    let output = wait(&guard, &[&SOON[..], &[&url, "--gpu=7"]].concat());
    assert_eq!(output.status.code(), CANNOT_ASK);
    assert!(stderr(&output).contains(uuid), "{}", stderr(&output));
}

#[test]
fn a_guard_that_lets_go_of_its_cards_is_not_believed() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 20, "");
    let url = format!("--url={}", guard.url(""));
    let detached = guard.run("detach", &[&url]);
    assert_eq!(detached.status.code(), Some(0), "{}", stderr(&detached));
    let output = wait(&guard, &[&NEVER[..], &[&url]].concat());
    assert_eq!(output.status.code(), TIMED_OUT, "{}", stderr(&output));
}

#[test]
fn nobody_to_ask_is_another_code_than_a_mistake() {
    let guard = Guard::on(&["a100-80gb"]);
    let output = wait(&guard, &["--gpu=7"]);
    assert_eq!(output.status.code(), CANNOT_ASK, "{}", stderr(&output));
    let output = wait(&guard, &["--url=http://127.0.0.1:1"]);
    assert_eq!(
        output.status.code(),
        CANNOT_ASK,
        "the driver isn't what was asked for"
    );
    let nothing = run(&["wait", "--nvml.library=/nonexistent/libnvidia-ml.so.1"]);
    assert_eq!(nothing.status.code(), CANNOT_ASK, "{}", stderr(&nothing));
    for mistake in [
        &["--below=tepid"][..],
        &["--gpu=first"],
        &["--gpu="],
        &["--for=soon"],
        &["--for=11m"],
        &["--for=1m", "--timeout=30s"],
    ] {
        let output = wait(&guard, mistake);
        assert_eq!(
            output.status.code(),
            USAGE,
            "{mistake:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn a_mig_instance_is_answered_with_the_gpu_to_name() {
    for name in [
        "MIG-2f1b3c4d-0000-5555-8888-0123456789ab",
        "0,mig-GPU-1/7/0",
    ] {
        let output = run(&["wait", "--gpu", name]);
        assert_eq!(output.status.code(), USAGE);
        let said = stderr(&output);
        assert!(said.contains("is a MIG instance"), "{said}");
        assert!(said.contains("nvidia-smi -L"), "{said}");
    }
}

#[test]
fn a_simulated_guard_says_nothing_about_real_cards() {
    let body = r#"{"simulated":true,"gpus":[{"uuid":"GPU-1","index":0,"up":true,"state":"normal",
        "temperature_celsius":30.0,"margin_to_safe_celsius":40.0}]}"#;
    let quick = ["wait", "--for=0s", "--timeout=5s"];
    for (simulate, code) in [(&[][..], CANNOT_ASK), (&["--simulate"], COOL)] {
        let (url, _requests) = answering("200 OK", body);
        let output = run(&[&quick[..], &[&url], simulate].concat());
        assert_eq!(output.status.code(), code, "{}", stderr(&output));
    }
}
