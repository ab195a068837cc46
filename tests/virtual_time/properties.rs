//! Invariants under random cards, rooms, loads, faults, leases and writes of other programs, in virtual
//! time, with the real worker. A failure shrinks to a short list of events.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use thermal_guard::device::ClockRange;
use thermal_guard::guard::Tick;
use thermal_guard::policy::{Level, Settings, State, Unguarded};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Watts};

use crate::common::cases::cases;
use crate::common::virtual_node::{COOL, Node, TICK, room};

/// Between two ticks of a storm of wakes.
const WAKE: Duration = Duration::from_millis(5);

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
    /// `kill -9`, and a new guard.
    Restart,
    /// So many ticks out of turn.
    Wakes(u32),
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
        1 => Just(Happening::Restart),
        1 => (1..40_u32).prop_map(Happening::Wakes),
    ]
}

/// Events beside alerts, except those that a new guard can't know about.
fn disturbance() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0.2..1.0_f64, 10.0..50.0_f64).prop_map(|(power, inlet)| Happening::World {
            power,
            inlet,
            airflow: 1.0,
            hbm: 1.0,
        }),
        prop_oneof![
            2 => Just(Fault::None),
            1 => Just(Fault::Lost),
            1 => Just(Fault::NoTemperature),
            1 => Just(Fault::NoPermission),
        ]
        .prop_map(Happening::Fault),
        (1..600_u64).prop_map(Happening::Pause),
    ]
}

fn history() -> impl Strategy<Value = Vec<(Happening, u64)>> {
    vec((happening(), 1..400_u64), 1..25)
}

fn card() -> impl Strategy<Value = &'static Profile> {
    (0..profile::ALL.len()).prop_map(|index| profile::ALL[index])
}

fn happen(node: &mut Node, profile: &Profile, what: &Happening) {
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
        Happening::Restart => node.restart(0),
        Happening::Wakes(_) => {}
    }
}

/// One tick, and the state before it.
struct Step {
    before: Watts,
    after: Watts,
    /// Before and after.
    locks: [Option<ClockRange>; 2],
    tick: Tick,
}

fn step(node: &mut Node) -> Step {
    step_by(node, TICK)
}

fn step_by(node: &mut Node, period: Duration) -> Step {
    let before = node.limit(0);
    let lock = node.rack.card(0).gpu_clock;
    let tick = node.step_by(period).remove(0);
    Step {
        before,
        after: node.limit(0),
        locks: [lock, node.rack.card(0).gpu_clock],
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
    let [lock_before, lock_after] = step.locks;
    let loosened =
        lock_before.is_some_and(|before| lock_after.is_none_or(|after| after.max > before.max));
    prop_assert!(
        !loosened || heat.is_some_and(|heat| !heat.is_hot()),
        "lock {lock_before:?} -> {lock_after:?} with {heat:?}"
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
        decision.level >= decision.asks.local || decision.state == State::Unguarded,
        "an alert took protection away"
    );
    Ok(())
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn no_tick_breaks_the_rules(profile in card(), history in history(), start in 0.5..1.0_f64) {
        let mut node = Node::new(&[profile], &Settings::default());
        let mut original = Watts::from_f64((profile.default_limit.as_f64() * start).round())
            .max(profile.min_limit);
        node.rack.card(0).limit = original;
        for (what, seconds) in &history {
            happen(&mut node, profile, what);
            if matches!(what, Happening::ForeignLimit(_)) {
                original = original.max(node.limit(0));
            }
            if let Happening::Wakes(ticks) = what {
                for _ in 0..*ticks {
                    check(&step_by(&mut node, WAKE), profile, original)?;
                }
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
                happen(&mut node, profile, what);
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
                happen(&mut node, profile, what);
                node.run(*seconds);
            }
        }
        node.fault(0, Fault::None);
        node.set(0, Conditions { load: Load::IDLE, ..room(COOL) });
        // The longest lease or pause, the recovery delay and the steps.
        let ticks = node.run(900 + 600 + 600);
        // That writes are permitted again, only a write can tell, and none is due.
        let denied = history.iter().any(|(what, _)| matches!(what, Happening::Fault(Fault::NoPermission)));
        if !denied || ticks[0].decision.unguarded != Some(Unguarded::NoPermission) {
            prop_assert_eq!(ticks[0].decision.state, State::Normal);
        }
        let card = node.rack.card(0);
        prop_assert_eq!(card.limit, original);
        prop_assert_eq!((card.gpu_clock, card.memory_clock), (None, None));
    }
}

proptest! {
    #![proptest_config(cases(15))]

    #[test]
    fn leases_hold_a_gpu_over_its_local_level_for_at_most_max_hold_in_any_hour(
        max_minutes in 0..60_u64,
        alerts in vec((0..50_u64, prop_oneof![Just(Level::Gradual), Just(Level::Emergency)], 1..900_u64, 1..300_u64), 40..120),
        others in vec(prop_oneof![4 => Just(None), 1 => disturbance().prop_map(Some)], 120),
    ) {
        let max_hold = Duration::from_secs(max_minutes * 60);
        let profile = profile::named("l40s").unwrap();
        let mut node = Node::new(&[profile], &Settings { max_hold, ..Settings::default() });
        node.set(0, room(COOL));
        let mut held = Vec::new();
        for ((fingerprint, level, ttl, gap), other) in alerts.into_iter().zip(others) {
            if let Some(other) = other {
                happen(&mut node, profile, &other);
            }
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
