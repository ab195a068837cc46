//! Suspect fans: those of a card with a fault are found, and those of well cards are not.

#![allow(clippy::unwrap_used, reason = "tests")]

use thermal_guard::device::ByKnob;
use thermal_guard::policy::{FanFault, Settings};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::fans::Fans;
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::Celsius;

use crate::common::cases::times;
use crate::common::virtual_node::{COOL, Node, RunUntil, room};

const IDLE: Conditions = Conditions {
    load: Load::IDLE,
    ..room(COOL)
};

/// A card that no guard cools, at 88 °C and more: its own slowdown holds it there.
fn left_hot(profile: &str) -> Node {
    let settings = Settings {
        enabled: ByKnob::default(),
        ..Settings::default()
    };
    let mut node = Node::new(&[profile::named(profile).unwrap()], &settings);
    node.set(0, room(Celsius::new(50.0)));
    node.run_until(900, |ticks| {
        ticks[0].reading.core.unwrap() >= Celsius::new(88.0)
    });
    node
}

type Breaks = fn(&mut Fans);

/// After how many seconds the fault is told.
fn found(node: &mut Node, fault: FanFault) -> u64 {
    node.run_until(60, |ticks| ticks[0].decision.fans.of(0) == Some(fault))
}

#[test]
fn a_fan_that_goes_wrong_on_a_hot_card_is_found_within_20_seconds_and_told_as_long_as_it_lasts() {
    let stuck = |fans: &mut Fans| fans.set_stuck(Some(53));
    let still = |fans: &mut Fans| fans.set_stuck(Some(0));
    let faults: [(Breaks, FanFault); 4] = [
        (stuck, FanFault::Stuck),
        (|fans| fans.inverted = 1, FanFault::Stuck),
        (|fans| fans.stopped = 1, FanFault::Stopped),
        (still, FanFault::Off),
    ];
    for (break_it, fault) in faults {
        let mut node = left_hot("rtx-6000-ada");
        let before = node.step();
        assert_eq!(before[0].decision.fans.of(0), None);
        break_it(&mut node.rack.card(0).fans);
        let after = found(&mut node, fault);
        assert!(after <= 20, "{fault:?} after {after} s");
        for _ in 0..600 {
            assert_eq!(node.step()[0].decision.fans.of(0), Some(fault));
        }
        node.rack.card(0).fans = Fans::WELL;
        let over = node.run_until(60, |ticks| ticks[0].decision.fans.of(0).is_none());
        assert!(over >= 45, "{over}");
    }
}

#[test]
fn a_fan_that_stays_at_its_least_while_the_guard_holds_the_card_is_found() {
    let mut node = Node::new(&[profile::named("rtx-4090").unwrap()], &Settings::default());
    node.rack.card(0).fans.set_stuck(Some(30));
    node.set(0, room(Celsius::new(40.0)));
    node.run_until(600, |ticks| !ticks[0].claim.is_empty());
    assert!(found(&mut node, FanFault::Low) <= 20);
}

/// Loads that come and go, a room that warms by the afternoon, and an hour with little air. Of the day,
/// the ordinary run has the warm hours around that one.
#[test]
fn a_day_of_ordinary_work_makes_no_fan_of_any_card_suspect() {
    let hours = if times() > 1 { 0..24 } else { 12..16 };
    let seconds = hours.start * 3600..hours.end * 3600_u32;
    for card in profile::ALL {
        let mut node = Node::new(&[card], &Settings::default());
        let mut looked = 0;
        for second in seconds.clone() {
            if second % 60 == 0 {
                let hour = f64::from(second) / 3600.0;
                let warmth = ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin();
                let busy = [1.0, 1.0, 0.0, 0.7, 1.0, 0.3, 0.0][(second / 420) as usize % 7];
                let airflow = if (14.0..15.0).contains(&hour) {
                    1.5
                } else {
                    1.0
                };
                node.set(
                    0,
                    Conditions {
                        load: Load {
                            power: busy,
                            ..Load::FULL
                        },
                        inlet: Celsius::new(28.0 + 12.0 * warmth),
                        airflow_resistance: airflow,
                        ..IDLE
                    },
                );
            }
            let tick = &node.step()[0];
            looked += tick.reading.slow.fans.len();
            let suspect: Vec<_> = tick
                .decision
                .fans
                .iter()
                .filter(|it| it.1.is_some())
                .collect();
            assert!(
                suspect.is_empty(),
                "{} at {second} s: {suspect:?}",
                card.key
            );
        }
        assert_eq!(looked, card.fans as usize * seconds.len(), "{}", card.key);
    }
}
