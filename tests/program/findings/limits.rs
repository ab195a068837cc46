//! Power limits that can't be lowered, are refused, or become another number.

use super::scene::{
    ALERT, CONFIG, CRITICAL, SCALE, a100, brief, is_held, is_locked, knob, watch, within,
};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// Work on a card in a room so warm that it would be over critical at the whole limit.
const HOT: [&str; 2] = ["load=1", "inlet=36"];

/// A cool card under no load, and a guard on it.
fn guard_on(machine: Machine, config: &str) -> Guard {
    Guard::started(machine, SCALE, config)
}

#[test]
fn a_limit_under_the_gradual_floor_is_followed_by_the_clock() {
    let machine = a100(&["load=0", "inlet=60"], &["limit_w=170"]);
    let guard = guard_on(machine, CONFIG);
    guard.machine.ctl(&["set", "load=1"]);
    let seen = watch(&guard, 300.0);
    seen.assert_protected(&guard);
    assert!(seen.locked > 30.0, "{seen:?}");
    let card = guard.machine.gpu(0);
    assert!(die(&card) <= ALERT + 1.0, "{}", brief(&card));
}

/// No limit can be lowered, so the plan uses only the clock from the start.
#[test]
fn a_range_of_one_limit_leaves_the_clock_to_hold_the_card() {
    let machine = a100(&["load=0", "inlet=36"], &["min_w=400"]);
    let guard = guard_on(machine, CONFIG);
    guard.machine.ctl(&HOT_SET);
    let seen = watch(&guard, 300.0);
    seen.assert_protected(&guard);
    assert!(seen.locked > 30.0, "{seen:?}");
    assert!(
        guard.logged(&["gradual_floor"]).is_empty(),
        "nothing that floor could change: {}",
        guard.log()
    );
}

const HOT_SET: [&str; 3] = ["set", HOT[0], HOT[1]];

/// Whatever the setter of the limit does, the clock lock follows within a few ticks.
#[track_caller]
fn is_held_by_the_clock(config: &str, trouble: &[&str], state: &str) {
    let machine = a100(&["load=0", "inlet=36"], &[]);
    machine.ctl(trouble);
    let guard = guard_on(machine, config);
    guard.machine.ctl(&HOT_SET);
    let seen = watch(&guard, 300.0);
    seen.assert_protected(&guard);
    // Given back for a while whenever it is cool: the recovery is short here.
    assert!(seen.locked > 30.0, "{seen:?}");
    assert_eq!(knob(&guard, "power_limit").as_deref(), Some(state));
    assert_eq!(knob(&guard, "gpu_clock").as_deref(), Some("working"));
}

#[test]
fn a_limit_that_is_not_supported_is_followed_by_the_clock() {
    is_held_by_the_clock(CONFIG, &["answer", "set-power-limit", "3"], "refused");
}

#[test]
fn a_limit_that_is_invalid_whatever_is_asked_is_followed_by_the_clock() {
    is_held_by_the_clock(CONFIG, &["answer", "set-power-limit", "2"], "refused");
}

#[test]
fn a_limit_that_is_refused_for_lack_of_permission_is_followed_by_the_clock() {
    is_held_by_the_clock(CONFIG, &["answer", "set-power-limit", "4"], "refused");
}

#[test]
fn a_limit_that_fails_is_followed_by_the_clock() {
    is_held_by_the_clock(CONFIG, &["answer", "set-power-limit", "999"], "refused");
}

#[test]
fn a_limit_that_is_accepted_and_ignored_is_followed_by_the_clock() {
    is_held_by_the_clock(CONFIG, &["setter", "power-limit", "ignore"], "ineffective");
}

#[test]
fn the_ladder_leaves_out_the_rungs_of_a_limit_that_is_refused() {
    let config = "policy: { name: ladder, recovery_delay: 5s }";
    is_held_by_the_clock(config, &["answer", "set-power-limit", "3"], "refused");
}

/// When the setter works again, the plan uses it again without a restart.
#[test]
fn a_limit_that_is_taken_again_is_used_again() {
    let machine = a100(&["load=0", "inlet=36"], &[]);
    machine.ctl(&["answer", "set-power-limit", "999"]);
    let guard = guard_on(machine, CONFIG);
    guard.machine.ctl(&HOT_SET);
    within(&guard, 120.0, "locked", is_locked);
    guard.machine.ctl(&["answer", "--clear"]);
    within(&guard, 300.0, "the limit is used again", |card| {
        limit(card) < 400.0
    });
    let seen = watch(&guard, 60.0);
    seen.assert_protected(&guard);
    assert_eq!(knob(&guard, "power_limit").as_deref(), Some("working"));
}

/// The guard can do without that number.
#[test]
fn a_card_whose_default_limit_fails_is_guarded() {
    let machine = a100(&["load=0", "inlet=36"], &[]);
    machine.ctl(&["answer", "power-default-limit", "999"]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    guard.machine.ctl(&HOT_SET);
    let seen = watch(&guard, 300.0);
    seen.assert_protected(&guard);
    assert_eq!(
        guard.metrics().of(0, "thermal_guard_gpu_up", &[]),
        Some(1.0)
    );
}

/// A laptop's minimum is one seventh of its default. An emergency may go there, and `check` says so
/// beforehand.
#[test]
fn check_tells_how_little_an_emergency_leaves() {
    let facts = ["default_w=35", "min_w=5", "max_w=95", "limit_w=35"];
    let machine = a100(&["load=0", "inlet=25"], &facts);
    let guard = Guard::new(machine, SCALE, CONFIG);
    let said = super::scene::said(&guard.run("check", &[]));
    assert!(said.contains("14 %") || said.contains("14%"), "{said}");
}

/// The control of all these: without trouble the limit alone holds the card.
#[test]
fn a_limit_that_is_taken_needs_no_clock() {
    let guard = guard_on(a100(&["load=0", "inlet=36"], &[]), CONFIG);
    guard.machine.ctl(&HOT_SET);
    let seen = watch(&guard, 300.0);
    seen.assert_protected(&guard);
    let card = guard.machine.gpu(0);
    assert!(
        is_held(&guard, &card) && !is_locked(&card),
        "{}",
        brief(&card)
    );
    assert!(seen.hottest < CRITICAL - 3.0, "{seen:?}");
}
