//! Leases and pauses: what they hold, for how long, and what they are charged.

use super::*;

#[test]
fn a_gradual_lease_holds_its_ceiling_and_ends_by_itself() {
    let mut node = a100();
    node.set(0, room(Celsius::new(15.0)));
    node.run(300);
    node.fire(0, 1, Level::Gradual, Duration::from_secs(30));
    let ticks = node.run(2);
    assert_eq!(ticks[0].decision.state, State::Gradual);
    assert_eq!(ticks[0].decision.asks.local, Level::None);
    assert!(node.limit(0) <= Watts::from_watts(340), "{}", node.limit(0));
    node.run_until(120, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn the_end_of_a_lease_gives_its_ceiling_back_only_after_the_delay() {
    let mut node = a100();
    // Between safe (72) and the set point (77), where only the lease holds the GPU.
    node.set(0, room(Celsius::new(25.0)));
    node.run(600);
    assert_eq!(node.limit(0), Watts::from_watts(400));
    node.fire(0, 1, Level::Gradual, Duration::from_secs(60));
    node.run(60);
    for second in 0..28 {
        node.step();
        assert!(
            node.limit(0) <= Watts::from_watts(340),
            "{second} s after its end"
        );
    }
    node.run_until(120, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn an_emergency_lease_is_an_emergency_even_when_cool() {
    let mut node = a100();
    node.set(0, room(COOL));
    node.run(10);
    node.fire(0, 1, Level::Emergency, Duration::from_secs(30));
    node.fire(0, 2, Level::Gradual, Duration::from_secs(30));
    let ticks = node.run(1);
    assert_eq!(ticks[0].decision.state, State::Emergency);
    assert_eq!(node.limit(0), Watts::from_watts(100));
    assert!(node.rack.card(0).gpu_clock.is_some());
    node.run_until(600, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn a_pause_ignores_leases_and_gradual_but_not_critical() {
    let mut node = a100();
    let until = node.now() + Duration::from_secs(100_000);
    node.shared.pause(&node.uuid(0), until);
    node.set(0, room(Celsius::new(29.0)));
    node.fire(0, 1, Level::Emergency, Duration::from_secs(600));
    node.run(600);
    assert_eq!(node.rack.card(0).limit_writes, 0);
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Emergency);
}

#[test]
fn an_emergency_of_its_own_is_not_charged_to_leases_while_blind() {
    let mut node = a100();
    node.set(0, room(Celsius::new(76.0)));
    node.run_until(300, |ticks| state(ticks) == State::Emergency);
    node.fault(0, Fault::NoTemperature);
    let ticks = node.run(3000);
    assert_eq!(ticks[0].decision.asks.local, Level::Emergency);
    assert!(!ticks[0].decision.overheld, "nobody holds a lease");
    node.fault(0, Fault::None);
    node.set(0, room(COOL));
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    node.fire(0, 1, Level::Gradual, Duration::from_secs(30));
    assert_eq!(state(&node.run(2)), State::Gradual, "the alert counts");
}

#[test]
fn a_lease_holds_a_blind_gpu_no_longer_than_a_seeing_one() {
    let mut node = a100();
    node.set(0, room(COOL));
    node.run(10);
    node.fault(0, Fault::NoTemperature);
    node.run_until(5, |ticks| state(ticks) == State::Blind);
    let mut held = 0;
    for _ in 0..3600 {
        node.fire(0, 1, Level::Emergency, Duration::from_secs(30));
        let decision = node.step()[0].decision;
        held += u32::from(decision.level > decision.asks.local);
    }
    assert!(held <= 1800, "{held}");
}

#[test]
fn a_lease_does_not_make_the_local_loop_hold_on() {
    let mut node = a100();
    node.rack.card(0).limit = Watts::from_watts(350);
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    // 75 °C at 350 W, 74 °C at the lease's ceiling of 340 W: both over safe, under the set point.
    node.set(0, room(Celsius::new(29.0)));
    let mut overheld = false;
    for _ in 0..3 * 3600 {
        node.fire(0, 1, Level::Gradual, Duration::from_secs(30));
        overheld |= node.step()[0].decision.overheld;
    }
    assert!(overheld, "the alert alone has held it for hours");
}
