//! GPUs as operators name them, over a running guard and over the driver alone.
#![allow(clippy::unwrap_used, reason = "tests fail by panic")]

use std::process::Output;

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::{stderr, stdout};

/// A guard over two cards of one model.
fn guard() -> Guard {
    let mut guard = Guard::new(Machine::create(&["a100-80gb"; 2], &[]), 20, "");
    guard.start();
    guard
}

fn asked(guard: &Guard, command: &str, gpu: &str, more: &[&str]) -> Output {
    let url = format!("--url={}", guard.url("").replace("http://", ""));
    let gpu = format!("--gpu={gpu}");
    guard.run(command, &[&[url.as_str(), gpu.as_str()], more].concat())
}

const GRADUAL: [&str; 2] = ["--level=gradual", "--for=10m"];

#[test]
fn several_gpus_can_be_named_in_one_call_and_each_by_any_name() {
    let guard = guard();
    let gpus = guard.status()["gpus"].clone();
    let name = |gpu: usize, key: &str| gpus[gpu][key].as_str().unwrap().to_owned();
    let (uuid, address) = (name(1, "uuid"), name(1, "pci_bus_id"));
    let digits = uuid.trim_start_matches("GPU-").to_uppercase();
    for (named, meant) in [
        ("0,1", "GPU 0, 1: held"),
        ("1, 0", "GPU 1, 0: held"),
        ("all", "GPU 0, 1: held"),
        (&uuid, "GPU 1: held"),
        (&digits, "GPU 1: held"),
        (&address, "GPU 1: held"),
        (&format!("0,{uuid}"), "GPU 0, 1: held"),
        ("1,1", "GPU 1: held"),
    ] {
        let output = asked(&guard, "throttle", named, &GRADUAL);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{named}: {}",
            stderr(&output)
        );
        assert!(
            stdout(&output).starts_with(meant),
            "{named}: {}",
            stdout(&output)
        );
    }
    let output = asked(&guard, "release", "0,1", &[]);
    assert!(
        stdout(&output).starts_with("GPU 0, 1: manual lease ended"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_name_of_none_or_several_is_answered_with_the_cards_there_are_and_changes_nothing() {
    let guard = guard();
    let uuid = |gpu: usize| {
        guard.status()["gpus"][gpu]["uuid"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (first, second) = (uuid(0), uuid(1));
    for named in ["7", "A100", "0,7", "GPU-ffff"] {
        let output = asked(&guard, "throttle", named, &GRADUAL);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{named}: {said}");
        for word in ["no such GPU", "0 = NVIDIA A100", &first, &second] {
            assert!(said.contains(word), "{named}: no {word:?} in {said}");
        }
        assert!(!said.contains("404"), "{said}");
    }
    // What both begin with.
    let common = &first[..first.len() - 1];
    assert!(second.starts_with(common));
    let output = asked(&guard, "throttle", common, &GRADUAL);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("several GPUs: 0 = "),
        "{}",
        stderr(&output)
    );
    let status = guard.status();
    assert_eq!(
        status["gpus"][0]["leases"].as_array().map_or(0, Vec::len),
        0,
        "{status}"
    );
}

#[test]
fn a_wait_takes_the_same_names_from_a_guard_and_from_the_driver() {
    let mut guard = guard();
    let uuid = guard.status()["gpus"][1]["uuid"]
        .as_str()
        .unwrap()
        .to_owned();
    let soon = ["--for=0s", "--timeout=20s"];
    let named = uuid.to_lowercase().replace("gpu-", "");
    let common = uuid[..uuid.len() - 1].to_owned();
    let output = asked(&guard, "wait", &format!("{named},0"), &soon);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = asked(&guard, "wait", &common, &soon);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("several GPUs"),
        "{}",
        stderr(&output)
    );
    guard.kill();
    let alone = |gpu: &str| {
        let gpu = format!("--gpu={gpu}");
        guard.run("wait", &[&[gpu.as_str()], &soon[..]].concat())
    };
    let output = alone(&named);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for wrong in [common.as_str(), "7"] {
        let output = alone(wrong);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("1 = NVIDIA A100"),
            "{}",
            stderr(&output)
        );
    }
}
