//! What must hold whatever comes: random cards, rooms, loads, faults, leases and foreign hands, in
//! virtual time, through the real worker. Shrinks to a plain list of what happened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "common/virtual_node.rs"]
mod virtual_node;

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use thermal_guard::device::plant::Load;
use thermal_guard::device::profile::{self, Profile};
use thermal_guard::device::sim::{Conditions, Fault};
use thermal_guard::guard::Tick;
use thermal_guard::policy::{Level, Settings, State};
use thermal_guard::units::{Celsius, Watts};

use virtual_node::{COOL, Node, room};

/// Something that happens to the card, and how long until the next thing.
#[derive(Clone, Debug)]
enum Happening {
    World {
        power: f64,
        inlet: f64,
        airflow: f64,
        hbm: f64,
    },
    Fault(Fault),
    Alert {
        fingerprint: u64,
        level: Level,
        ttl: u64,
    },
    Pause(u64),
    ForeignLimit(f64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let world = (0.0..1.1_f64, 10.0..60.0_f64, 0.8..1.8_f64, 0.8..1.6_f64).prop_map(
        |(power, inlet, airflow, hbm)| Happening::World {
            power,
            inlet,
            airflow,
            hbm,
        },
    );
    let fault = prop_oneof![
        3 => Just(Fault::None),
        1 => Just(Fault::NoTemperature),
        1 => Just(Fault::Lost),
        1 => Just(Fault::NoPermission),
    ];
    let level = prop_oneof![3 => Just(Level::Gradual), 1 => Just(Level::Emergency)];
    let alert =
        (0..8_u64, level, 1..900_u64).prop_map(|(fingerprint, level, ttl)| Happening::Alert {
            fingerprint,
            level,
            ttl,
        });
    prop_oneof![
        6 => world,
        3 => fault.prop_map(Happening::Fault),
        3 => alert,
        1 => (1..600_u64).prop_map(Happening::Pause),
        1 => (0.0..1.0_f64).prop_map(Happening::ForeignLimit),
    ]
}

fn history() -> impl Strategy<Value = Vec<(Happening, u64)>> {
    vec((happening(), 1..400_u64), 1..25)
}

fn card() -> impl Strategy<Value = &'static Profile> {
    (0..profile::ALL.len()).prop_map(|index| profile::ALL[index])
}

fn happen(node: &Node, profile: &Profile, what: &Happening) {
    match *what {
        Happening::World {
            power,
            inlet,
            airflow,
            hbm,
        } => {
            let conditions = Conditions {
                load: Load {
                    power,
                    compute_bound: 1.0,
                },
                inlet: Celsius::new(inlet),
                airflow_resistance: airflow,
                hbm_resistance: hbm,
            };
            node.set(0, conditions);
        }
        Happening::Fault(fault) => node.fault(0, fault),
        Happening::Alert {
            fingerprint,
            level,
            ttl,
        } => {
            node.fire(0, fingerprint, level, Duration::from_secs(ttl));
        }
        Happening::Pause(seconds) => {
            node.shared
                .pause(&node.uuid(0), node.now() + Duration::from_secs(seconds));
        }
        Happening::ForeignLimit(share) => {
            let range = profile.max_limit.as_f64() - profile.min_limit.as_f64();
            let limit = profile.min_limit.as_f64() + range * share;
            node.rack.card(0).limit = Watts::from_f64(limit.round());
        }
    }
}

/// One tick, with what held before it.
struct Step {
    before: Watts,
    after: Watts,
    tick: Tick,
}

fn step(node: &mut Node) -> Step {
    let before = node.limit(0);
    let tick = node.step().remove(0);
    Step {
        before,
        after: node.limit(0),
        tick,
    }
}

/// The properties of a single tick. `original` is the highest limit anybody but us has set.
fn check(step: &Step, profile: &Profile, original: Watts) -> Result<(), TestCaseError> {
    let decision = &step.tick.decision;
    let raised = step.after > step.before;
    let heat = decision.heat;
    prop_assert!(
        !raised || heat.is_some_and(|heat| !heat.is_hot()),
        "raised {} -> {} with {heat:?}",
        step.before,
        step.after
    );
    prop_assert!(
        !raised || decision.state != State::Blind,
        "raised while blind"
    );
    prop_assert!(
        step.after <= original,
        "{} over the original {original}",
        step.after
    );
    prop_assert!(
        step.after >= profile.min_limit.min(step.before),
        "{} under the minimum",
        step.after
    );
    prop_assert!(step.after <= profile.max_limit);
    prop_assert!(
        decision.level >= decision.asks.local,
        "an alert took protection away"
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_tick_breaks_the_rules(profile in card(), history in history(), start in 0.5..1.0_f64) {
        let mut node = Node::new(&[profile], &Settings::default());
        let mut original = Watts::from_f64((profile.default_limit.as_f64() * start).round())
            .max(profile.min_limit);
        node.rack.card(0).limit = original;
        for (what, seconds) in &history {
            happen(&node, profile, what);
            if matches!(what, Happening::ForeignLimit(_)) {
                original = original.max(node.limit(0));
            }
            for _ in 0..*seconds {
                check(&step(&mut node), profile, original)?;
            }
        }
    }

    #[test]
    fn critical_and_emergency_alerts_are_acted_on_at_once(profile in card(), history in history()) {
        let mut node = Node::new(&[profile], &Settings { max_hold: Duration::from_secs(3600), ..Settings::default() });
        for (what, seconds) in &history {
            if !matches!(what, Happening::Fault(_) | Happening::ForeignLimit(_)) {
                happen(&node, profile, what);
            }
            for _ in 0..*seconds {
                let step = step(&mut node);
                let decision = &step.tick.decision;
                let critical = decision.heat.is_some_and(|heat| heat.is_critical());
                let paused = step.tick.paused_until.is_some();
                let told = decision.asks.alert == Level::Emergency && !paused && !decision.overheld;
                if critical || told {
                    prop_assert_eq!(decision.level, Level::Emergency);
                    prop_assert_eq!(step.after, profile.min_limit);
                    prop_assert!(node.rack.card(0).gpu_clock.is_some());
                }
            }
        }
    }

    #[test]
    fn when_the_cause_is_gone_all_is_as_before(profile in card(), history in history(), start in 0.5..1.0_f64) {
        let mut node = Node::new(&[profile], &Settings::default());
        let original = Watts::from_milliwatts(
            Watts::from_f64((profile.default_limit.as_f64() * start).round())
                .max(profile.min_limit)
                .milliwatts() + 123,
        ).min(profile.max_limit);
        node.rack.card(0).limit = original;
        for (what, seconds) in &history {
            if !matches!(what, Happening::ForeignLimit(_)) {
                happen(&node, profile, what);
                node.run(*seconds);
            }
        }
        node.fault(0, Fault::None);
        node.set(0, Conditions { load: Load::IDLE, ..room(COOL) });
        // The longest lease or pause, the recovery delay and the steps.
        let ticks = node.run(900 + 600 + 600);
        prop_assert_eq!(ticks[0].decision.state, State::Normal);
        let card = node.rack.card(0);
        prop_assert_eq!(card.limit, original);
        prop_assert_eq!((card.gpu_clock, card.memory_clock), (None, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, ..ProptestConfig::default() })]

    #[test]
    fn leases_hold_a_cool_gpu_for_at_most_max_hold_in_any_hour(
        max_minutes in 0..60_u64,
        alerts in vec((0..50_u64, prop_oneof![Just(Level::Gradual), Just(Level::Emergency)], 1..900_u64, 1..300_u64), 40..120),
    ) {
        let max_hold = Duration::from_secs(max_minutes * 60);
        let profile = profile::named("l40s").unwrap();
        let mut node = Node::new(&[profile], &Settings { max_hold, ..Settings::default() });
        node.set(0, room(COOL));
        let mut held = Vec::new();
        for (fingerprint, level, ttl, gap) in alerts {
            node.fire(0, fingerprint, level, Duration::from_secs(ttl));
            for _ in 0..gap {
                let decision = node.step().remove(0).decision;
                held.push(decision.level > decision.asks.local);
            }
        }
        let mut in_the_hour = 0_u64;
        for second in 0..held.len() {
            in_the_hour += u64::from(held[second]);
            if second >= 3600 {
                in_the_hour -= u64::from(held[second - 3600]);
            }
            prop_assert!(in_the_hour <= max_minutes * 60, "{in_the_hour} s in the hour up to {second}");
        }
    }
}
