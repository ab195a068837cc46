//! A guard that was started anew, and one that was detached.

use thermal_guard::device::{ByKnob, ClockDomain, Knob};

use super::*;

#[test]
fn a_restarted_guard_that_cannot_see_keeps_the_lock_it_finds() {
    let mut node = Node::new(
        &[profile::named("a100-80gb").unwrap()],
        &Settings {
            enabled: ByKnob::only(Knob::GpuClock, true),
            ..Settings::default()
        },
    );
    node.set(0, room(HOT));
    node.run_until(300, |ticks| ticks[0].claim.locks[ClockDomain::Gpu]);
    node.fault(0, Fault::NoTemperature);
    node.restart(0);
    for _ in 0..60 {
        node.step();
        assert!(node.rack.card(0).gpu_clock.is_some());
    }
    node.fault(0, Fault::None);
    node.set(0, IDLE);
    node.run(300);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn a_restarted_guard_gives_a_lock_back_in_steps() {
    let clocks_only = Settings {
        enabled: ByKnob::only(Knob::GpuClock, true),
        ..Settings::default()
    };
    let mut node = Node::new(&[profile::named("a100-80gb").unwrap()], &clocks_only);
    node.set(0, room(COOL));
    node.fire(0, 1, Level::Emergency, Duration::from_secs(2));
    node.run(5);
    node.restart(0);
    node.step();
    assert!(node.rack.card(0).gpu_clock.is_some(), "not all at once");
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, Watts::from_watts(400));
}

#[test]
fn what_a_detach_gave_back_is_not_taken_again_without_a_cause() {
    let mut node = a100();
    node.set(0, room(COOL));
    node.fire(0, 1, Level::Emergency, Duration::from_secs(30));
    node.run(5);
    node.detached(0, Duration::from_secs(3600));
    assert_untouched(&node, 0, Watts::from_watts(400));
    let writes = node.rack.card(0).limit_writes;
    let ticks = node.run(10);
    assert_eq!(state(&ticks), State::Normal);
    assert_eq!(node.rack.card(0).limit_writes, writes);
    node.fire(0, 2, Level::Gradual, Duration::from_secs(30));
    assert_eq!(state(&node.run(2)), State::Gradual, "nor is it charged");
}

#[test]
fn the_time_of_a_detach_is_not_counted_as_throttled() {
    let mut node = a100();
    // As warm as it may be without a throttle: too warm to be safe.
    let mut inlet = 5.0;
    let ticks = loop {
        node.set(0, room(Celsius::new(inlet)));
        let ticks = node.run(900);
        if ticks[0].reading.core.unwrap() > Celsius::new(73.0) {
            break ticks;
        }
        inlet += 1.0;
    };
    assert_eq!(state(&ticks), State::Normal);
    let core = ticks[0].reading.core.unwrap();
    assert!(core > Celsius::new(72.0), "{core} is safe");
    node.detached(0, Duration::from_secs(1800));
    node.fire(0, 1, Level::Gradual, Duration::from_secs(30));
    let ticks = node.step();
    assert_eq!(state(&ticks), State::Gradual);
    let counted = ticks[0].counters.throttled[0];
    assert!(counted <= Duration::from_secs(2), "{counted:?}");
}
