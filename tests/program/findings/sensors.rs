//! Sensors that fail once or for ever, from the start or later.

use super::scene::{
    CONFIG, CRITICAL, REACTION, SCALE, a100, brief, card, core_only, delivery, is_held, of, sensor,
    watch, why, within,
};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// The memory gets too hot first: its alert is at 88 °C.
const MEMORY_BOUND: [&str; 3] = ["load=0.9", "inlet=30", "hbm=2.2"];
const MEMORY_ALERT: f64 = 88.0;

/// Held by its memory.
fn held_by_memory() -> Guard {
    let machine = a100(&["load=0", "inlet=30", "hbm=2.2"], &[]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&[&["set"][..], &MEMORY_BOUND].concat());
    within(&guard, 200.0, "held", |card| is_held(&guard, card));
    watch(&guard, 120.0);
    guard
}

/// One "not supported" doesn't mean that the sensor is absent.
#[test]
fn a_memory_sensor_that_fails_once_still_steers() {
    let guard = held_by_memory();
    guard
        .machine
        .ctl(&["answer", "memory-temperature", "3", "--times", "1"]);
    let seen = watch(&guard, 150.0);
    assert!(seen.hottest_memory < MEMORY_ALERT + 2.0, "{seen:?}");
    assert_eq!(sensor(&guard, "memory").as_deref(), Some("working"));
}

/// A sensor that steered and is gone is doubted.
#[test]
fn a_memory_sensor_that_steered_and_is_gone_is_a_doubt() {
    let guard = held_by_memory();
    let before = limit(&guard.machine.gpu(0));
    guard.machine.ctl(&["answer", "memory-temperature", "3"]);
    let seen = watch(&guard, 150.0);
    assert!(seen.hottest_memory < MEMORY_ALERT + 2.0, "{seen:?}");
    assert!(
        seen.highest_limit <= before + 15.0,
        "from {before} W: {seen:?}"
    );
    guard.wait_state(0, "blind");
    let failing = sensor(&guard, "memory");
    assert_eq!(failing.as_deref(), Some("failing"));
    assert!(why(&guard).contains("memory"), "{}", why(&guard));
    // One line, from any command.
    assert_eq!(guard.logged(&["no trustworthy temperature"]).len(), 1);
}

#[test]
fn a_core_sensor_that_fails_from_the_start_is_blind_and_orders_are_carried_out() {
    let machine = core_only(&["load=1", "inlet=25"], &[]);
    machine.ctl(&["answer", "temperature", "999"]);
    machine.ctl(&["answer", "temperature-v", "999"]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    within(&guard, REACTION + 20.0, "capped", |card| {
        limit(card) <= 192.0
    });
    guard.wait_state(0, "blind");
    assert_eq!(guard.hook(&delivery("firing", "emergency", 0)), 200);
    within(&guard, REACTION, "an emergency", |card| {
        limit(card) <= 100.0
    });
    assert_eq!(sensor(&guard, "core").as_deref(), Some("failing"));
}

/// The core can be read, and another sensor fails: the guard applies the cap for blind GPUs, and the
/// core still adds protection.
#[track_caller]
fn a_margin_that_fails_from_the_start(code: &str) {
    let machine = card("h100", &["load=0", "inlet=40"], &[]);
    machine.ctl(&["answer", "margin", code]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    guard.machine.ctl(&["set", "load=1"]);
    let seen = watch(&guard, 300.0);
    assert!(seen.slowed_to == 1.0, "{seen:?}");
    assert!(seen.hottest < 87.0, "{seen:?}");
    assert!(is_held(&guard, &guard.machine.gpu(0)));
    assert_eq!(sensor(&guard, "margin").as_deref(), Some("failing"));
}

#[test]
fn a_margin_that_is_unknown_from_the_start_does_not_unguard_the_core() {
    a_margin_that_fails_from_the_start("999");
}

#[test]
fn a_margin_that_is_invalid_from_the_start_does_not_unguard_the_core() {
    a_margin_that_fails_from_the_start("2");
}

/// On a hot, governed card: such a number raises nothing.
#[track_caller]
fn is_not_raised_by(said: &[&str]) {
    let machine = core_only(&["load=0", "inlet=40"], &[]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held", |card| is_held(&guard, card));
    watch(&guard, 90.0);
    let before = limit(&guard.machine.gpu(0));
    for call in ["temperature", "temperature-v"] {
        guard.machine.ctl(&[&["answer", call][..], said].concat());
    }
    let seen = watch(&guard, 150.0);
    assert!(
        seen.highest_limit <= before + 15.0,
        "raised from {before} W: {seen:?}"
    );
    assert!(seen.hottest < CRITICAL, "{seen:?}");
    let card = guard.machine.gpu(0);
    assert!(
        limit(&card) <= 192.0 && die(&card) < 79.0,
        "{}",
        brief(&card)
    );
    guard.wait_state(0, "blind");
    let exported = of(&guard, "thermal_guard_gpu_temperature_celsius", &[]);
    assert_eq!(exported, None, "no temperature, as a series");
    assert_eq!(sensor(&guard, "core").as_deref(), Some("failing"));
}

#[test]
fn not_available_said_as_a_number_is_no_temperature() {
    is_not_raised_by(&["0", "4294967295"]);
}

#[test]
fn a_zero_is_no_temperature_of_a_hot_card() {
    is_not_raised_by(&["0", "0"]);
}

#[test]
fn a_sensor_of_a_hot_card_that_is_not_supported_any_more_is_a_doubt() {
    is_not_raised_by(&["3"]);
}

/// Zero from the first tick, and no power reading to compare it with.
#[test]
fn a_zero_from_the_start_is_not_normal() {
    let machine = a100(&["load=1", "inlet=25"], &[]);
    machine.ctl(&["fault", "unsupported:memory-temperature,power,power-limit"]);
    machine.ctl(&["answer", "temperature", "0", "0"]);
    machine.ctl(&["answer", "temperature-v", "0", "0"]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    within(
        &guard,
        REACTION + 20.0,
        "a clock cap",
        super::scene::is_locked,
    );
    guard.wait_state(0, "blind");
    let words = super::scene::said(&guard.run("check", &[]));
    assert!(!words.contains("core 0.0"), "{words}");
}

/// The number of a sensor that was removed isn't a temperature, and no emergency.
#[test]
fn memory_at_255_from_the_start_is_a_failing_sensor_and_no_emergency() {
    let machine = a100(&["load=0.3", "inlet=25"], &[]);
    machine.ctl(&["answer", "memory-temperature", "0", "255"]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    let seen = watch(&guard, 60.0);
    assert!(!seen.states.contains(&"emergency".to_owned()), "{seen:?}");
    assert!(limit(&guard.machine.gpu(0)) > 100.0);
    let exported = of(&guard, "thermal_guard_gpu_memory_temperature_celsius", &[]);
    assert_eq!(exported, None);
    let words = why(&guard);
    assert!(words.contains("memory") && words.contains("255"), "{words}");
    assert_eq!(sensor(&guard, "memory").as_deref(), Some("failing"));
}

/// A steady card without a power limit is steady, not frozen.
#[test]
fn a_steady_card_without_a_limit_is_not_taken_for_frozen() {
    let machine: Machine = a100(&["load=0", "inlet=40"], &[]);
    machine.ctl(&["fault", "unsupported:memory-temperature,power-limit"]);
    machine.ctl(&["sensor", "draw", "noise=0.3"]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    let seen = watch(&guard, 130.0);
    assert_eq!(seen.states, ["normal"], "{seen:?}");
    assert_eq!(guard.machine.gpu(0)["lock_writes"], 0);
}
