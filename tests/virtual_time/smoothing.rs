//! Power smoothing, as Blackwell cards have it: after a load ends, the card holds its draw up for a
//! while and then lowers it slowly. High power without load isn't a lying sensor.

#![allow(clippy::unwrap_used, reason = "tests fail by panic")]

use proptest::prelude::*;
use thermal_guard::policy::{SensorState, Settings, State};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::faults::{Answer, Call};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile::{self, Profile};
use thermal_guard::units::Celsius;

use crate::common::cases::cases;
use crate::common::virtual_node::{COOL, Node};

const IDLE_CLOCK: i64 = 345;

/// How a card smooths: the share of its limit that it holds after a load, for how long, and how
/// fast it lowers the draw from there, in shares per second.
#[derive(Clone, Copy, Debug)]
struct Smoothing {
    floor: f64,
    hold: u64,
    slope: f64,
}

fn draws(share: f64, inlet: Celsius) -> Conditions {
    Conditions {
        load: Load {
            power: share,
            ..Load::FULL
        },
        ..Conditions::full_load(inlet)
    }
}

/// One tick, at which every sensor must be believed.
fn step(node: &mut Node, what: &str) {
    let tick = node.step().remove(0);
    let decision = &tick.decision;
    assert_eq!(decision.doubt, None, "{what}: {decision:?}");
    assert_ne!(decision.state, State::Blind, "{what}");
    for (sensor, report) in decision.sensors.iter() {
        let faulty = matches!(report.state, SensorState::Doubted | SensorState::Failing);
        assert!(!faulty, "{what}: {} {report:?}", sensor.name());
    }
}

/// Loads of some minutes with smoothing between them, and a card that says 0 % at its idle clock
/// whenever nothing runs.
fn work(profile: &'static Profile, smoothing: Smoothing, inlet: Celsius, busy: u64, again: u32) {
    let mut node = Node::new(&[profile], &Settings::default());
    let idle = |node: &Node, is_idle: bool| {
        for (call, number) in [(Call::Utilization, 0), (Call::SmClock, IDLE_CLOCK)] {
            let answers = &mut node.rack.card(0).faults.answers;
            answers.clear(call);
            if is_idle {
                answers.set(call, Answer::value(number).times(Answer::FOR_EVER));
            }
        }
    };
    for _ in 0..again {
        idle(&node, false);
        node.set(0, draws(1.0, inlet));
        for _ in 0..busy {
            step(&mut node, "under load");
        }
        idle(&node, true);
        node.set(0, draws(smoothing.floor, inlet));
        for _ in 0..smoothing.hold {
            step(&mut node, "held up without load");
        }
        let mut share = smoothing.floor;
        while share > 0.05 {
            share -= smoothing.slope;
            node.set(0, draws(share.max(0.01), inlet));
            step(&mut node, "lowered slowly");
        }
        for _ in 0..60 {
            step(&mut node, "at rest");
        }
    }
}

#[test]
fn a_draw_that_is_held_up_for_an_hour_without_load_is_believed() {
    for profile in profile::ALL {
        for floor in [0.3, 0.6, 0.9] {
            let smoothing = Smoothing {
                floor,
                hold: 3600,
                slope: 0.01,
            };
            work(profile, smoothing, COOL, 600, 1);
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn no_pace_of_smoothing_makes_a_sensor_suspect(
        card in 0..profile::ALL.len(),
        floor in 0.1..0.95_f64,
        hold in 0..900_u64,
        slope in 0.002..0.2_f64,
        busy in 30..900_u64,
        inlet in 18.0..40.0_f64,
    ) {
        let smoothing = Smoothing { floor, hold, slope };
        work(profile::ALL[card], smoothing, Celsius::new(inlet), busy, 3);
    }
}
