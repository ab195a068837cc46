//! Garbage readings that steer nothing: they are not exported either.

use super::scene::{CONFIG, SCALE, card, of, watch};
use crate::common::guard::Guard;

#[test]
fn garbage_of_fan_and_draw_is_absent_and_protection_goes_on() {
    let machine = card("rtx-4090", &["load=0", "inlet=36"], &[]);
    machine.ctl(&["answer", "power-usage", "0", "3700000000"]);
    machine.ctl(&["answer", "fan-speed", "0", "4294967295"]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    let seen = watch(&guard, 200.0);
    assert_eq!(seen.slowed_to, 1.0, "{seen:?}");
    assert_eq!(of(&guard, "thermal_guard_gpu_power_draw_watts", &[]), None);
    assert_eq!(of(&guard, "thermal_guard_gpu_fan_speed_ratio", &[]), None);
}

/// Once, and above every range: no reading at all.
#[test]
fn a_draw_of_not_available_once_moves_no_limit() {
    let machine = card("a100-80gb", &["load=0", "inlet=36"], &[]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    watch(&guard, 200.0).assert_protected(&guard);
    let before = guard.machine.gpu(0)["limit_watts"].as_f64().unwrap();
    guard
        .machine
        .ctl(&["answer", "power-usage", "0", "4294967295", "--times", "1"]);
    let seen = watch(&guard, 40.0);
    let after = guard.machine.gpu(0)["limit_watts"].as_f64().unwrap();
    seen.assert_protected(&guard);
    assert!((after - before).abs() < 25.0, "{before} to {after} W");
}
