//! A card whose firmware acts at a target under the guard's alert, as many GeForce cards do.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panic")]

use thermal_guard::events::What;
use thermal_guard::guard::Tick;
use thermal_guard::policy::{Level, Settings, State, TripOverrides, TripRule};
use thermal_guard::sim::card::Fault;
use thermal_guard::sim::profile::{self, RTX_3090};
use thermal_guard::units::Celsius;

use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// At full load the card would get hotter than its target, and hotter than alert.
const HOT: Celsius = Celsius::new(38.0);

/// At full load the card gets to about 80 °C.
const WARM: Celsius = Celsius::new(27.0);

const TARGET: Celsius = Celsius::new(83.0);

fn node(rule: TripRule) -> Node {
    let trips = TripOverrides {
        rule,
        ..TripOverrides::default()
    };
    let settings = Settings {
        trips,
        ..Settings::default()
    };
    Node::new(&[&RTX_3090], &settings)
}

fn level(ticks: &[Tick]) -> Level {
    ticks[0].decision.level
}

/// Begins and ends of slowdowns by the card itself.
fn told(node: &Node) -> (usize, usize) {
    let events = node.shared.events.recent();
    let count = |is: fn(&What) -> bool| events.iter().filter(|event| is(&event.what)).count();
    (
        count(|what| matches!(what, What::SlowedItself(_))),
        count(|what| matches!(what, What::SlowedItselfEnded(_))),
    )
}

#[test]
fn the_card_acts_first_and_its_slowdown_is_told_once_with_time_and_heat() {
    let mut node = node(TripRule::Auto);
    let ticks = node.run(5);
    assert_eq!(ticks[0].decision.firmware.acts_first, Some(TARGET));
    node.set(0, room(HOT));
    let mut slowed = 0.0;
    for _ in 0..3600 {
        let ticks = node.step();
        assert_eq!(
            level(&ticks),
            Level::None,
            "the firmware holds it under the set point"
        );
        slowed += f64::from(u8::from(ticks[0].decision.firmware.slowdown.is_some()));
    }
    assert!(slowed > 3000.0, "{slowed}");
    assert_eq!(
        told(&node),
        (1, 0),
        "one slowdown, however its bit flickers"
    );
    node.set(0, room(COOL));
    let ticks = node.run(300);
    assert_eq!(told(&node), (1, 1));
    assert_eq!(ticks[0].counters.own_slowdowns, 1);
    assert!((ticks[0].counters.own_slowdown.as_secs_f64() - slowed).abs() < 120.0);
    let events = node.shared.events.recent();
    let ended = events.iter().find_map(|event| match &event.what {
        What::SlowedItselfEnded(outcome) => Some(*outcome),
        _ => None,
    });
    let ended = ended.unwrap();
    assert!(ended.seconds > 3000.0, "{ended:?}");
    assert!(
        (82.0..86.0).contains(&ended.hottest_celsius.unwrap()),
        "{ended:?}"
    );
    assert_eq!(node.rack.card(0).limit_writes, 0);
}

#[test]
fn with_before_firmware_the_guard_is_first_and_the_card_never_has_to() {
    let mut node = node(TripRule::BeforeFirmware);
    node.set(0, room(HOT));
    node.run_until(600, |ticks| ticks[0].decision.state == State::Gradual);
    node.run(300);
    let mut hottest = Celsius::new(0.0);
    for _ in 0..3600 {
        let ticks = node.step();
        assert!(ticks[0].decision.firmware.slowdown.is_none());
        assert_eq!(ticks[0].decision.firmware.acts_first, None);
        hottest = hottest.max(node.rack.card(0).state.core());
    }
    assert!(hottest < TARGET, "{hottest}");
    assert_eq!(told(&node), (0, 0));
}

#[test]
fn a_card_whose_target_lies_above_alert_is_never_said_to_act_first() {
    for profile in profile::ALL {
        let mut node = Node::new(&[profile], &Settings::default());
        node.set(0, room(HOT));
        for _ in 0..1200 {
            let firmware = node.step()[0].decision.firmware;
            assert_eq!(firmware.acts_first, None, "{}", profile.key);
            assert_eq!(firmware.slowdown, None, "{}", profile.key);
        }
    }
}

#[test]
fn a_card_that_drops_or_ignores_its_target_is_believed_by_what_it_does() {
    let mut node = node(TripRule::Auto);
    // It says 75 °C and acts at 83.
    node.rack.card(0).faults.told.acoustic_target = 75.into();
    node.set(0, room(WARM));
    let ticks = node.run(5);
    assert_eq!(
        ticks[0].decision.firmware.acts_first,
        Some(Celsius::new(75.0))
    );
    node.run_until(1200, |ticks| {
        ticks[0].decision.firmware.acts_first.is_none()
    });
    let ticks = node.run(600);
    assert_eq!(ticks[0].decision.firmware.ignores, Some(Celsius::new(75.0)));
    assert_eq!(level(&ticks), Level::None, "no alert follows from a target");
    // Another driver names the real target, and is believed.
    node.rack.card(0).faults.told.acoustic_target = 83.into();
    node.fault(0, Fault::Lost);
    node.run(5);
    node.fault(0, Fault::None);
    node.run_until(120, |ticks| {
        ticks[0].decision.firmware.acts_first == Some(TARGET)
    });
}
