//! Persistence mode: where it is off, a cap goes when the last client of an idle card does. Told by a
//! check and in a metric.

use serde_json::Value;

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

const METRIC: &str = "thermal_guard_gpu_persistence_mode";

/// 3 is "not supported", on Windows and in some guests.
fn guard() -> Guard {
    let machine = Machine::create(&["a100-80gb", "h100", "l40s"], &[]);
    for (gpu, answer) in [("0", &["0", "0"][..]), ("1", &["0", "1"]), ("2", &["3"])] {
        machine.ctl(&[&["answer", "--gpu", gpu, "persistence-mode"], answer].concat());
    }
    Guard::new(machine, 10, "")
}

fn warned(guard: &Guard, more: &[&str]) -> Vec<Value> {
    let output = guard.run("check", &[&["--json"], more].concat());
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let about = findings.into_iter().filter(|finding| {
        let text = finding["detail"].as_str().unwrap();
        text.contains("persistence mode")
    });
    about.collect()
}

#[test]
fn a_card_that_forgets_its_limit_is_warned_of_and_one_that_keeps_it_is_not() {
    let mut guard = guard();
    let told = warned(&guard, &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["gpu"], 0);
    assert_eq!(told[0]["status"], "warn");
    let remedy = told[0]["remedy"].as_str().unwrap();
    assert!(remedy.contains("nvidia-persistenced"), "{remedy}");
    // Nothing is ever capped there.
    assert!(warned(&guard, &["--mode=observe"]).is_empty());
    guard.start();
    let metrics = guard.wait("read", |metrics| metrics.all(METRIC, &[]).len() == 2);
    assert_eq!(metrics.of(0, METRIC, &[]), Some(0.0));
    assert_eq!(metrics.of(1, METRIC, &[]), Some(1.0));
}

#[test]
fn the_metric_follows_what_an_administrator_switches() {
    let mut guard = guard();
    guard.start();
    guard.wait("off", |metrics| metrics.of(0, METRIC, &[]) == Some(0.0));
    let on = ["answer", "--gpu", "0", "persistence-mode", "0", "1"];
    guard.machine.ctl(&on);
    guard.wait("on", |metrics| metrics.of(0, METRIC, &[]) == Some(1.0));
}
