//! What a pre-flight shows of a bad card is what a guard sees that starts on it: one judgement, over
//! the same table of faults, as far as it shows within seconds.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use thermal_guard::guard::Tick;
use thermal_guard::guard::gpu::preflight;
use thermal_guard::policy::{Sensor, Settings, State, TripOverrides, View};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::Celsius;

use super::faults::{Fault, fault};
use crate::common::virtual_node::{Node, TICK, room};

/// The seconds until the guard calls a sensor lost, and one tick more.
const TICKS: u32 = 4;

/// A fault that lasts for a while shows only at the right moment.
fn lasts(fault: &Fault) -> bool {
    match fault {
        Fault::Call(_, _, times) => *times == 0,
        _ => true,
    }
}

fn node(profile: &'static Profile, faults: &[Fault], power: f64, inlet: f64) -> Node {
    let node = Node::new(&[profile], &Settings::default());
    let load = Load {
        power,
        compute_bound: 1.0,
    };
    let conditions = Conditions {
        load,
        ..room(Celsius::new(inlet))
    };
    node.set(0, conditions);
    let mut node = node;
    node.pass(Duration::from_secs(600));
    for fault in faults {
        fault.put(&mut node.rack.card(0));
    }
    node
}

fn is_told(tick: &Tick, sensor: Sensor) -> bool {
    let reading = &tick.reading;
    let told = match sensor {
        Sensor::Core => &reading.core,
        Sensor::Memory => &reading.memory,
        Sensor::Margin => &reading.margin,
        Sensor::Power => return reading.draw.is_ok(),
    };
    told.is_ok()
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_check_and_a_guard_agree_about_what_lasts(
        card in 0..profile::ALL.len(),
        faults in vec(fault().prop_filter("lasts", lasts), 0..3),
        power in 0.0..0.6_f64,
        inlet in 15.0..35.0_f64,
    ) {
        let profile = profile::ALL[card];
        let mut checked = node(profile, &faults, power, inlet);
        let Some(mut gpu) = checked.open(0) else {
            return Ok(());
        };
        let seen = preflight::read(gpu.as_mut(), TripOverrides::default(), |pause| {
            checked.pass(pause);
            checked.now()
        });
        drop(gpu);

        let mut guarded = node(profile, &faults, power, inlet);
        let mut last = None;
        for _ in 0..TICKS {
            last = guarded.step_by(TICK).pop();
        }
        let Some(tick) = last.filter(|tick| tick.up) else {
            return Ok(());
        };
        // A reading at the edge of what can be one comes and goes with its noise.
        let later: Vec<Tick> = (0..5 * TICKS).filter_map(|_| guarded.step_by(TICK).pop()).collect();
        let lasting = |sensor| later.iter().all(|it| is_told(it, sensor) == is_told(&tick, sensor));
        if !Sensor::THERMAL.into_iter().all(lasting) {
            return Ok(());
        }
        for sensor in Sensor::THERMAL {
            let (check, guard) = (seen.judged.sensors[sensor], tick.decision.sensors[sensor]);
            prop_assert_eq!(check.state, guard.state, "{}: {:?}", sensor.name(), faults);
        }
        let blind = matches!(seen.judged.view, View::Blind(_) | View::Blink);
        let state = tick.decision.state;
        prop_assert_eq!(blind, state == State::Blind, "{:?} {:?}", state, seen.judged);
    }
}
