//! How long something must last before the guard acts, counted in seconds and not in readings.

use std::time::Duration;

use super::scene::{CONFIG, core_only, delivery, is_locked, of, within};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

/// After a while of implausible readings, a critical one is acted on at once.
#[test]
fn critical_after_blindness_is_acted_on_at_once() {
    // Slow enough that a second of the plant is more than the noise of a busy machine.
    let machine = core_only(&["load=0", "inlet=60"], &[]);
    let guard = Guard::started(machine, 5, CONFIG);
    for call in ["temperature", "temperature-v"] {
        guard.machine.ctl(&["answer", call, "999"]);
    }
    guard.wait_state(0, "blind");
    // Over critical under any limit, so that the card shows only new writes.
    guard.machine.ctl(&["set", "load=1", "inlet=82"]);
    guard.machine.ctl(&["advance", "120"]);
    within(&guard, 120.0, "critical", |card| die(card) > 86.0);
    guard.machine.ctl(&["answer", "--clear"]);
    within(&guard, 3.0, "an emergency", |card| {
        let asked = of(
            &guard,
            "thermal_guard_throttle_level",
            &[("source", "local")],
        );
        limit(card) <= 100.0 && is_locked(card) && asked == Some(2.0)
    });
}

/// At the shortest poll interval.
#[test]
fn a_frozen_sensor_is_found_at_ten_polls_a_second() {
    let config = "poll_interval: 100ms\npolicy: { recovery_delay: 5s }";
    let machine = core_only(&["load=0", "inlet=45"], &[]);
    let guard = Guard::started(machine, 10, config);
    guard.machine.ctl(&["sensor", "core", "freeze"]);
    std::thread::sleep(Duration::from_millis(100));
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 60.0, "capped", |card| limit(card) <= 192.0);
    guard.wait_state(0, "blind");
}

/// Deliveries wake the guard. The ticks that they cause don't shorten a measurement.
#[test]
fn a_storm_of_deliveries_does_not_switch_the_frozen_check_off() {
    let config = "hook: { max_hold: 0s }\npolicy: { recovery_delay: 5s }";
    let machine = core_only(&["load=0", "inlet=45"], &[]);
    let guard = Guard::started(machine, 5, config);
    guard.machine.ctl(&["sensor", "core", "freeze"]);
    std::thread::sleep(Duration::from_millis(200));
    guard.machine.ctl(&["set", "load=1"]);
    let mut levels = ["gradual", "emergency"].into_iter().cycle();
    let mut sent = 0;
    within(&guard, 60.0, "capped", |card| {
        for level in levels.by_ref().take(8) {
            assert_eq!(guard.hook(&delivery("firing", level, 0)), 200);
            sent += 1;
        }
        limit(card) <= 192.0
    });
    assert!(sent > 100, "a storm: {sent}");
    guard.wait_state(0, "blind");
}
