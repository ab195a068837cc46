//! The governor over real NVML calls: a hot inlet is held by the power limit, or by the clock on a card
//! whose limit can't be set, and the guard gives it back. How well it is held is measured in virtual time (`tests/virtual_time/governed.rs`), where the
//! load of this machine changes nothing.

use std::thread;
use std::time::Duration;

use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::nvml_sim::{Machine, WORKING};

/// Plant and guard, times as fast as the wall.
const SCALE: u32 = 20;

/// On the wall: two minutes of the plant's.
const HELD: Duration = Duration::from_secs(6);

#[test]
fn a_hot_inlet_is_held_by_the_limit_and_given_back() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    let guard = Guard::started(machine, SCALE, "");
    guard
        .machine
        .ctl(&["set", "load=1", "airflow=1", "inlet=42"]);
    guard.wait_throttled(0);
    thread::sleep(HELD);
    let card = guard.machine.gpu(0);
    assert!(limit(&card) < guard.original(0), "{card:#}");
    assert_eq!(card["refused_writes"], 0);
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn a_spark_and_a_laptop_are_held_by_their_clocks_and_get_them_back() {
    let machine = Machine::warm(&["gb10", "rtx-5090-laptop"], &WORKING);
    let guard = Guard::started(machine, SCALE, "");
    guard
        .machine
        .ctl(&["set", "load=1", "airflow=1", "inlet=44"]);
    for gpu in [0, 1] {
        guard.wait_gpu(gpu, "locked", |card| !card["sm_lock_mhz"].is_null());
    }
    thread::sleep(HELD);
    for gpu in [0, 1] {
        let card = guard.machine.gpu(gpu);
        assert_eq!(card["limit_writes"], 0, "{card:#}");
    }
    assert_eq!(guard.machine.gpu(0)["refused_writes"], 0, "it offers none");
    assert!(
        !guard.logged(&["power_limit"]).is_empty(),
        "{}",
        guard.log()
    );
    guard.cool(0);
    guard.cool(1);
    guard.assert_given_back();
}
