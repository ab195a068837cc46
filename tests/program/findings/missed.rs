//! Cards that are expected and aren't there.

use super::scene::{CONFIG, SCALE, said};
use crate::common::delivery::uuid;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

fn two() -> Machine {
    let machine = Machine::create(&["a100-80gb", "h100"], &["--time-scale", "0"]);
    machine.ctl(&["set", "load=0.3"]);
    machine
}

#[track_caller]
fn expected(guard: &Guard, there: f64, expected: f64) {
    let metrics = guard.wait("counted", |metrics| {
        metrics.get("thermal_guard_gpus", &[]) == Some(there)
    });
    assert_eq!(
        metrics.get("thermal_guard_gpus_expected", &[]),
        Some(expected)
    );
}

#[test]
fn a_card_that_can_not_be_enumerated_is_missed() {
    let machine = two();
    machine.ctl(&["answer", "handle-by-index:0", "999"]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    let output = guard.run("check", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    expected(&guard, 1.0, 2.0);
}

#[test]
fn a_card_that_is_configured_and_not_there_is_missed() {
    let mut guard = Guard::new(two(), SCALE, "gpus: [0, 1, 2]");
    guard.launch();
    guard.wait("guarding", |metrics| metrics.state(1).is_some());
    assert!(
        !guard.logged(&["gpus"]).is_empty(),
        "a word of it: {}",
        guard.log()
    );
    expected(&guard, 2.0, 3.0);
}

/// Two cards with one UUID can't be told apart, so the second counts as missing.
#[test]
fn two_cards_with_one_uuid_are_one_that_is_missed() {
    let machine = two();
    machine.ctl(&["identity", "--gpu", "1", &format!("uuid={}", uuid(0))]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    let output = guard.run("check", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    expected(&guard, 1.0, 2.0);
}

/// The control.
#[test]
fn nothing_is_missed_of_two_that_are_there() {
    let guard = Guard::started(two(), SCALE, CONFIG);
    expected(&guard, 2.0, 2.0);
    let output = guard.run("check", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}
