//! Limits that somebody else sets, and a limit that may not be set.

use super::*;

#[test]
fn without_permission_all_is_computed_and_nothing_written() {
    let mut node = a100();
    node.fault(0, Fault::NoPermission);
    node.set(0, room(HOT));
    let ticks = node.run(600);
    assert!(ticks[0].decision.asks.local > Level::None);
    assert_eq!(ticks[0].decision.unguarded, Some(Unguarded::NoPermission));
    assert_eq!(
        ticks[0].permission,
        thermal_guard::guard::Permission::Denied
    );
    assert!(ticks[0].claim.is_empty());
    node.fault(0, Fault::None);
    let ticks = node.run(120);
    assert_eq!(
        ticks[0].permission,
        thermal_guard::guard::Permission::Granted
    );
}

#[test]
fn a_lower_foreign_limit_stands_and_is_what_is_given_back() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    node.run(60);
    node.rack.card(0).limit = Watts::from_watts(150);
    for _ in 0..600 {
        node.step();
        assert!(node.limit(0) <= Watts::from_watts(150));
    }
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(150));
}

#[test]
fn a_higher_foreign_limit_is_lowered_within_a_tick_and_given_back_later() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    node.run(120);
    let held = node.limit(0);
    node.rack.card(0).limit = Watts::from_watts(390);
    node.step();
    assert!(node.limit(0) <= held, "{}", node.limit(0));
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(390));
}

/// The refusal changed nothing, so the guard must not take a later value for its own.
#[test]
fn a_foreign_limit_set_while_the_guard_was_refused_is_what_is_given_back() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    node.fault(0, Fault::NoPermission);
    node.run_until(300, |ticks| {
        ticks[0].permission == thermal_guard::guard::Permission::Denied
    });
    node.rack.card(0).limit = Watts::from_watts(390);
    node.step();
    node.fault(0, Fault::None);
    // The clock holds it until the limit is tried again, every few minutes.
    node.run(400);
    assert!(node.limit(0) < Watts::from_watts(390), "held again");
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(390));
}

#[test]
fn an_agent_that_reapplies_its_limit_every_second_is_contested_not_conceded_to() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    let mut contested = false;
    for _ in 0..900 {
        node.rack.card(0).limit = Watts::from_watts(400);
        contested |= node.step()[0].decision.contested;
        let margin = node
            .rack
            .card(0)
            .state
            .margin(profile::named("a100-80gb").unwrap());
        assert!(margin > Celsius::new(-1.0), "{margin}");
    }
    assert!(contested);
    assert!(
        node.rack.card(0).gpu_clock.is_some(),
        "the SM lock is added"
    );
}

#[test]
fn an_energy_counter_that_jumps_back_does_not_make_our_limit_the_original() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    node.run(60);
    node.rack.card(0).state.energy_joules = 0.0;
    node.run(20);
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn an_agent_that_reapplies_its_limit_every_ten_seconds_is_answered_each_time() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    node.run(120);
    let mut contested = false;
    for second in 0..1200 {
        if second % 10 == 0 {
            node.rack.card(0).limit = Watts::from_watts(390);
        }
        contested |= node.step()[0].decision.contested;
        let margin = node
            .rack
            .card(0)
            .state
            .margin(profile::named("a100-80gb").unwrap());
        assert!(margin > Celsius::new(0.0), "{margin}");
    }
    assert!(contested);
    node.set(0, IDLE);
    node.run_until(2000, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(390));
}
