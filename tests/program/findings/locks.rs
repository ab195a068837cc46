//! Clock locks that are reset by others, or refused.

use super::scene::{ALERT, CONFIG, REACTION, SCALE, a100, brief, is_locked, knob, watch, within};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

/// As `nvidia-smi -rgc` does.
#[test]
fn a_lock_that_somebody_resets_is_set_again() {
    // The floor of 192 W is the least, and not enough: the clock must hold it.
    let machine = a100(&["load=0", "inlet=56"], &["min_w=192"]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held by a lock", is_locked);
    watch(&guard, 60.0);
    guard.machine.ctl(&["unlock", "sm"]);
    within(&guard, REACTION, "locked again", is_locked);
    watch(&guard, 120.0).assert_protected(&guard);
    assert!(!guard.logged(&["above its lock"]).is_empty());
}

/// Where it matters most.
#[test]
fn a_lock_that_somebody_resets_in_an_emergency_is_set_again() {
    // The limit has only one value, so only the lock changes the clock.
    let machine = a100(&["load=0.8", "inlet=25"], &["min_w=400"]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    assert_eq!(
        guard.hook(&super::scene::delivery("firing", "emergency", 0)),
        200
    );
    within(&guard, REACTION, "locked", is_locked);
    guard.machine.ctl(&["unlock", "sm"]);
    within(&guard, REACTION, "locked again", is_locked);
}

#[test]
fn a_card_that_takes_no_lock_loses_no_time_on_locks() {
    let machine = a100(&["load=0", "inlet=61"], &[]);
    machine.ctl(&["answer", "lock-gpu-clock", "3"]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "at the floor", |card| limit(card) <= 192.0);
    let seen = watch(&guard, 200.0);
    seen.assert_protected(&guard);
    // With locks the same card reaches 79 °C; 44 s of rungs that do nothing make 3.5 °C more.
    assert!(seen.hottest < ALERT + 3.0, "{seen:?}");
    let card = guard.machine.gpu(0);
    assert!(
        limit(&card) < 192.0 && die(&card) <= ALERT + 1.0,
        "{}",
        brief(&card)
    );
    // Refused at its first trial. Later, when it isn't needed, it may be due for another trial.
    let refused = guard.logged(&["gpu_clock is refused"]);
    assert!(!refused.is_empty(), "{}", guard.log());
    let state = knob(&guard, "gpu_clock");
    assert!(
        matches!(state.as_deref(), Some("refused" | "unproven")),
        "{state:?}"
    );
}
