//! No power reading. One missing input doesn't stop the estimate of another.

use super::scene::{ALERT, CONFIG, SCALE, a100, brief, is_held, sensor, watch, within};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

fn hot() -> Guard {
    let machine = a100(&["load=0", "inlet=36"], &[]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held", |card| is_held(&guard, card));
    watch(&guard, 150.0);
    guard
}

#[test]
fn a_draw_that_fails_in_the_middle_does_not_deafen_the_governor() {
    let guard = hot();
    guard.machine.ctl(&["answer", "power-usage", "999"]);
    guard.machine.ctl(&["set", "inlet=46"]);
    let seen = watch(&guard, 500.0);
    seen.assert_protected(&guard);
    assert!(!seen.states.contains(&"emergency".to_owned()), "{seen:?}");
    let card = guard.machine.gpu(0);
    assert!(die(&card) <= ALERT + 1.0, "{}", brief(&card));
    assert_eq!(sensor(&guard, "power").as_deref(), Some("failing"));
}

#[test]
fn a_draw_that_is_not_supported_once_is_read_again() {
    let guard = hot();
    guard
        .machine
        .ctl(&["answer", "power-usage", "3", "--times", "1"]);
    guard.machine.ctl(&["set", "inlet=46"]);
    watch(&guard, 250.0).assert_protected(&guard);
    let draw = guard
        .metrics()
        .of(0, "thermal_guard_gpu_power_draw_watts", &[]);
    assert!(draw.is_some());
    assert_eq!(sensor(&guard, "power").as_deref(), Some("working"));
}

/// The card is held without repeated trials: with a power reading the limit moves by a few watts,
/// without one by at most a third of the range.
#[track_caller]
fn without_a_draw_from_the_start(code: &str, state: &str) {
    let machine = a100(&["load=0", "inlet=36"], &[]);
    machine.ctl(&["answer", "power-usage", code]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    watch(&guard, 300.0).assert_protected(&guard);
    let (mut lowest, mut highest) = (f64::INFINITY, 0.0_f64);
    let began = super::scene::seconds(&guard);
    within(&guard, 320.0, "watched", |card| {
        lowest = lowest.min(limit(card));
        highest = highest.max(limit(card));
        super::scene::seconds(&guard) > began + 300.0
    });
    assert!(highest - lowest < 100.0, "{lowest} to {highest} W");
    assert_eq!(sensor(&guard, "power").as_deref(), Some(state));
}

#[test]
fn a_card_whose_draw_fails_from_the_start_is_governed() {
    without_a_draw_from_the_start("999", "failing");
}

#[test]
fn a_card_without_a_draw_is_governed() {
    without_a_draw_from_the_start("3", "absent");
}
