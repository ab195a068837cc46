//! Thresholds of the card and of the configuration, compared with each other.

use super::scene::{CONFIG, SCALE, a100, brief, card, core_only, of, said, watch, within};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

const NUMBERS: &str =
    "thresholds: { alert: 78, critical: 85, safe: 72 }\npolicy: { recovery_delay: 5s }";

/// Configured numbers for the core replace the core's thresholds, never the protection of the memory.
#[test]
fn configured_thresholds_leave_the_memory_its_own() {
    let machine = card("h200", &["load=0", "inlet=25", "hbm=2.2"], &[]);
    let guard = Guard::started(machine, SCALE, NUMBERS);
    guard.machine.ctl(&["set", "load=0.9"]);
    let seen = watch(&guard, 400.0);
    // 95 °C where the card tells none, alert 7 under it.
    assert!(seen.hottest_memory < 91.0, "{seen:?}");
    assert!(seen.smallest_margin > 0.0, "{seen:?}");
}

/// Nor the protection by the margin.
#[test]
fn configured_thresholds_leave_the_margin_its_own() {
    let machine = card("h200", &["load=0", "inlet=25"], &["hot_spot=16"]);
    let guard = Guard::started(machine, SCALE, NUMBERS);
    guard.machine.ctl(&["set", "load=1", "inlet=34"]);
    let seen = watch(&guard, 400.0);
    assert!(seen.smallest_margin > 3.0, "{seen:?}");
    assert!(seen.slowed_to == 1.0, "{seen:?}");
}

fn trips(guard: &Guard) -> [f64; 3] {
    let trip = |name| of(guard, "thermal_guard_trip_celsius", &[("trip", name)]).unwrap();
    [trip("safe"), trip("alert"), trip("critical")]
}

/// With the numbers that two real cards report.
#[track_caller]
fn auto_stays_under(slowdown: &str, shutdown: &str, expected: [f64; 3]) {
    let facts = [slowdown, shutdown, "max_operating=105", "real=on"];
    let machine = core_only(&["load=0", "inlet=50"], &facts);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    let seen = watch(&guard, 300.0);
    assert!(
        seen.slowed_to == 1.0,
        "the card had to slow itself down: {seen:?}"
    );
    assert!(seen.hottest < expected[2], "{seen:?}");
    assert_eq!(trips(&guard), expected);
    let words = said(&guard.run("check", &[]));
    assert!(
        words.contains(&format!("critical {} °C", expected[2])),
        "{words}"
    );
}

#[test]
fn auto_stays_under_the_cards_own_slowdown() {
    auto_stays_under("slowdown=97", "shutdown=100", [83.0, 89.0, 96.0]);
}

#[test]
fn auto_stays_under_the_cards_own_shutdown() {
    auto_stays_under("slowdown=102", "shutdown=97", [81.0, 87.0, 94.0]);
}

/// If the configuration leaves one threshold out, it keeps its distance to the others. A threshold that
/// is too high for this card is lowered.
#[track_caller]
fn stands(thresholds: &str, expected: [f64; 3]) -> (Guard, String) {
    let config = format!("thresholds: {thresholds}\npolicy: {{ recovery_delay: 5s }}");
    let machine = core_only(&["load=0", "inlet=52"], &[]);
    let mut guard = Guard::new(machine, SCALE, &config);
    let checked = said(&guard.run("check", &[]));
    guard.start();
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held", |card| limit(card) < 400.0);
    let [safe, alert, critical] = trips(&guard);
    assert!(
        safe < alert && alert < critical,
        "{safe}, {alert}, {critical}"
    );
    assert_eq!([safe, alert, critical], expected);
    (guard, checked)
}

#[track_caller]
fn is_logged(guard: &Guard) {
    let lines = guard.logged(&["threshold", "lowered"]);
    assert!(!lines.is_empty(), "{}", guard.log());
}

#[test]
fn an_alert_alone_brings_its_safe_along_and_a_stop_over_it_raises_nothing() {
    let config = "thresholds: { alert: 70 }\npolicy: { recovery_delay: 5s }";
    let machine = core_only(&["load=0", "inlet=45"], &[]);
    let mut guard = Guard::started(machine, SCALE, config);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held", |card| limit(card) < 400.0);
    guard.machine.ctl(&["set", "inlet=55"]);
    within(&guard, 100.0, "over alert", |card| {
        die(card) > 70.2 && die(card) < 71.9
    });
    let before = limit(&guard.machine.gpu(0));
    assert_eq!(guard.stop(), Some(0));
    let card = guard.machine.gpu(0);
    assert!(limit(&card) <= before, "from {before} W: {}", brief(&card));
}

#[test]
fn an_alert_alone_keeps_its_distance_to_safe() {
    stands("{ alert: 70 }", [64.0, 70.0, 85.0]);
}

#[test]
fn a_safe_over_the_cards_alert_does_not_stand() {
    let (guard, words) = stands("{ safe: 80 }", [72.0, 78.0, 85.0]);
    assert!(
        words.contains("don't fit this card"),
        "what became of it: {words}"
    );
    is_logged(&guard);
}

#[test]
fn an_alert_over_the_cards_critical_does_not_stand() {
    let (guard, words) = stands("{ alert: 90 }", [72.0, 78.0, 85.0]);
    assert!(
        words.contains("don't fit this card"),
        "what became of it: {words}"
    );
    is_logged(&guard);
}

/// Thresholds that contradict each other on every card are refused.
#[test]
fn thresholds_that_contradict_each_other_are_refused() {
    let guard = Guard::new(
        a100(&["load=0"], &[]),
        SCALE,
        "thresholds: { alert: 70, safe: 75 }",
    );
    let output = guard.run("check", &[]);
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
}
