//! What an operator of a DGX Spark or a laptop sees, scene by scene.

use std::collections::BTreeSet;
use std::time::Duration;

use thermal_guard::device::{ByKnob, ClockDomain, Knob};
use thermal_guard::guard::Tick;
use thermal_guard::policy::{KnobState, Level, Settings, State};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::faults::{Answer, Call, NOT_SUPPORTED, Setter};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Megahertz};

use crate::common::figures::tell;
use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// Takes every card over alert at full load. Every card can be held in it by its clock.
const HOT: Celsius = Celsius::new(42.0);

const IDLE: Conditions = Conditions {
    load: Load::IDLE,
    ..room(COOL)
};

/// Above alert, for a card that is held; what operators are promised.
const OVERSHOOT: f64 = 1.5;

fn node(profile: &'static Profile) -> Node {
    Node::new(&[profile], &Settings::default())
}

fn named(key: &str) -> &'static Profile {
    profile::named(key).unwrap()
}

fn state(ticks: &[Tick]) -> State {
    ticks[0].decision.state
}

/// Degrees over alert, by the truth.
fn over_alert(node: &Node) -> f64 {
    7.0 - node.rack.card(0).margin().degrees()
}

fn ceiling(node: &Node) -> Option<Megahertz> {
    node.rack.card(0).gpu_clock.map(|range| range.max)
}

/// Lets `seconds` pass. The highest temperature over alert meanwhile.
fn hottest(node: &mut Node, seconds: u64) -> f64 {
    let mut hottest = f64::MIN;
    for _ in 0..seconds {
        node.step();
        hottest = hottest.max(over_alert(node));
    }
    hottest
}

#[track_caller]
fn is_given_back(node: &mut Node) {
    node.set(0, IDLE);
    node.run_until(1200, |ticks| state(ticks) == State::Normal);
    let card = node.rack.card(0);
    assert_eq!((card.gpu_clock, card.memory_clock), (None, None));
    assert_eq!(card.limit, card.profile.default_limit);
}

#[test]
fn a_card_without_a_limit_is_held_by_the_ceiling_of_its_clock_and_gets_it_back() {
    for profile in profile::WITHOUT_LIMIT {
        let mut node = node(profile);
        node.set(0, room(HOT));
        node.run_until(300, |ticks| state(ticks) == State::Gradual);
        let mut ceilings = BTreeSet::new();
        let mut hottest = f64::MIN;
        for _ in 0..3600 {
            node.step();
            hottest = hottest.max(over_alert(&node));
            ceilings.extend(ceiling(&node));
        }
        let card = profile.key;
        assert!(hottest <= OVERSHOOT, "{card}: {hottest} over alert");
        assert!(over_alert(&node) > -3.0, "{card}: and not far under it");
        let lowest = profile.gpu_clock_max.megahertz() / 2;
        let within = |clock: &Megahertz| {
            (lowest..profile.gpu_clock_max.megahertz()).contains(&clock.megahertz())
        };
        assert!(ceilings.iter().all(within), "{card}: {ceilings:?}");
        assert_eq!(node.rack.card(0).limit_writes, 0, "{card}");
        is_given_back(&mut node);
    }
}

#[test]
fn at_rest_hardly_anything_is_written() {
    for profile in profile::WITHOUT_LIMIT {
        let mut node = node(profile);
        node.set(0, room(HOT));
        node.run(1200);
        let before = node.rack.card(0).lock_writes;
        node.run(3600);
        let writes = node.rack.card(0).lock_writes - before;
        assert!(writes <= 10, "{}: {writes} in an hour", profile.key);
    }
}

#[test]
fn a_card_that_tells_no_draw_is_held_by_its_clock_alone() {
    for silent in [&[Call::PowerUsage][..], &[Call::PowerUsage, Call::SmClock]] {
        let mut node = node(named("gb10"));
        for call in silent {
            let nothing = Answer::code(NOT_SUPPORTED);
            node.rack.card(0).faults.answers.set(*call, nothing);
        }
        node.set(0, room(HOT));
        let over = hottest(&mut node, 3600);
        assert!(over <= OVERSHOOT, "{silent:?}: {over}");
        assert!(over_alert(&node) > -3.0, "{silent:?}");
        is_given_back(&mut node);
    }
}

#[test]
fn clocks_switched_on_alone_govern_a_card_with_a_limit() {
    let settings = Settings {
        enabled: ByKnob::only(Knob::GpuClock, true),
        ..Settings::default()
    };
    let mut node = Node::new(&[named("a100-80gb")], &settings);
    node.set(0, room(HOT));
    let over = hottest(&mut node, 3600);
    assert!(over <= OVERSHOOT, "{over}");
    assert!(over_alert(&node) > -3.0);
    assert_eq!(node.rack.card(0).limit_writes, 0);
    is_given_back(&mut node);
}

#[test]
fn a_refused_limit_is_tried_every_few_minutes_without_a_trace_in_the_temperature() {
    let mut node = node(named("rtx-5090-laptop"));
    node.set(0, room(HOT));
    let mut refused = 0_u32;
    for _ in 0..600 {
        refused +=
            u32::from(node.step()[0].decision.knobs[Knob::PowerLimit].state == KnobState::Refused);
    }
    assert!(refused > 100, "it is seen to be refused");
    let (tries, locks) = {
        let card = node.rack.card(0);
        (card.refused_writes, card.lock_writes)
    };
    assert!(tries >= 3, "{tries}: one refusal is noise");
    let over = hottest(&mut node, 3600);
    assert!(over <= 0.7, "{over}");
    let card = node.rack.card(0);
    let tries = card.refused_writes - tries;
    // Each time two values, three minutes apart.
    assert!((24..=42).contains(&tries), "{tries} in an hour");
    assert!(
        card.lock_writes - locks <= 10,
        "{}",
        card.lock_writes - locks
    );
}

#[test]
fn a_limit_that_is_refused_from_the_middle_on_is_followed_by_the_clock_and_takes_over_again() {
    let mut node = node(named("a100-80gb"));
    node.set(0, room(HOT));
    node.run_until(300, |ticks| ticks[0].claim.limit.is_some());
    node.run(600);
    assert_eq!(ceiling(&node), None, "the limit alone");

    // From now on the driver takes none, and the room gets hotter.
    node.rack.card(0).faults.power_limit = Setter::refuse(NOT_SUPPORTED);
    node.set(0, room(Celsius::new(46.0)));
    let over = hottest(&mut node, 1800);
    assert!(over <= 2.5, "{over}");
    assert!(ceiling(&node).is_some(), "the clock");
    assert!(over_alert(&node).abs() < 2.0, "{}", over_alert(&node));

    node.rack.card(0).faults.power_limit = Setter::NONE;
    let over = hottest(&mut node, 1200);
    assert!(over <= OVERSHOOT, "{over}");
    assert_eq!(ceiling(&node), None, "the limit again");
    assert!(node.limit(0) < named("a100-80gb").default_limit);
    is_given_back(&mut node);
}

/// The work of ten minutes, and the highest temperature over alert meanwhile.
fn ten_minutes(node: &mut Node) -> (f64, f64) {
    let before = node.rack.card(0).state.work_done;
    let over = hottest(node, 600);
    (node.rack.card(0).state.work_done - before, over)
}

#[test]
fn a_limit_that_works_again_takes_over_without_a_dip() {
    for inlet in [38.0, 42.0, 46.0] {
        let mut node = node(named("a100-80gb"));
        node.rack.card(0).faults.power_limit = Setter::refuse(NOT_SUPPORTED);
        node.set(0, room(Celsius::new(inlet)));
        node.run(2400);
        assert!(ceiling(&node).is_some(), "{inlet}: the clock governs");
        let (by_clock, _) = ten_minutes(&mut node);
        node.rack.card(0).faults.power_limit = Setter::NONE;
        let (meanwhile, over) = ten_minutes(&mut node);
        let lost = (1.0 - meanwhile / by_clock) * 600.0;
        tell(&format!(
            "the limit takes over from the clock at an inlet of {inlet} °C: {lost:.1} s of work lost, {over:+.2} °C over alert"
        ));
        assert_eq!(ceiling(&node), None, "{inlet}: the limit governs");
        assert!(lost <= 5.0 && over <= OVERSHOOT, "{inlet}: {lost} {over}");
        is_given_back(&mut node);
    }
}

#[test]
fn critical_locks_half_of_the_clock_at_once() {
    for profile in profile::WITHOUT_LIMIT {
        let mut node = node(profile);
        node.set(0, room(HOT));
        node.run(600);
        let worse = Conditions {
            airflow_resistance: 3.0,
            ..room(Celsius::new(75.0))
        };
        node.set(0, worse);
        node.run_until(120, |ticks| state(ticks) == State::Emergency);
        let half = profile.gpu_clock_max.megahertz() / 2;
        let lock = ceiling(&node).unwrap().megahertz();
        assert!(lock <= half + 1, "{}: {lock}", profile.key);
        is_given_back(&mut node);
    }
}

#[test]
fn an_emergency_lease_acts_within_the_tick() {
    let mut node = node(named("gb10"));
    node.set(0, room(COOL));
    node.run(10);
    node.fire(0, 1, Level::Emergency, Duration::from_secs(30));
    node.step();
    assert_eq!(ceiling(&node), Some(Megahertz::new(1502)));
}

#[test]
fn a_gradual_lease_caps_the_clock_and_its_end_gives_it_back() {
    for (profile, limit_enabled) in [
        ("gb10", true),
        ("rtx-5090-laptop", true),
        ("a100-80gb", false),
    ] {
        let settings = Settings::default();
        let settings = Settings {
            enabled: settings.enabled.with(Knob::PowerLimit, limit_enabled),
            ..settings
        };
        let mut node = Node::new(&[named(profile)], &settings);
        let busy = Conditions {
            load: Load::FULL,
            ..room(COOL)
        };
        node.set(0, busy);
        let full = node.run(10)[0].reading.draw.unwrap();
        assert_eq!(ceiling(&node), None, "{profile}: nothing is hot");
        let highest = node.rack.card(0).profile.gpu_clock_max.megahertz();
        let mut draw = full;
        for _ in 0..3 {
            node.fire(0, 1, Level::Gradual, Duration::from_secs(60));
            draw = node.run(30)[0].reading.draw.unwrap();
        }
        let lock = ceiling(&node).unwrap().megahertz();
        // The root of `lease_ceiling`, 0.85, and no deeper than a step of the clock.
        let share = f64::from(lock) / f64::from(highest);
        assert!((0.89..=0.923).contains(&share), "{profile}: {share}");
        assert!(draw < full, "{profile}: {draw} of {full}");
        assert_eq!(node.rack.card(0).limit_writes, 0, "{profile}");
        node.run_until(300, |ticks| state(ticks) == State::Normal);
        assert_eq!(ceiling(&node), None, "{profile}");
    }
}

#[test]
fn a_lease_does_not_hold_a_hot_card_at_its_cap() {
    let mut node = node(named("gb10"));
    node.set(0, room(HOT));
    let mut hottest = f64::MIN;
    for second in 0..3600_u32 {
        if second.is_multiple_of(20) {
            node.fire(0, 1, Level::Gradual, Duration::from_secs(30));
        }
        node.step();
        hottest = hottest.max(over_alert(&node));
    }
    assert!(hottest <= OVERSHOOT, "{hottest}");
    let cap = 3003.0 * 0.85_f64.sqrt();
    assert!(f64::from(ceiling(&node).unwrap().megahertz()) < cap);
    assert!(over_alert(&node) > -3.0, "and the governor goes on");
}

#[test]
fn a_blind_guard_caps_the_clock_and_never_raises_it() {
    for before in [0, 900] {
        let mut node = node(named("gb10"));
        node.set(0, room(HOT));
        node.run(before);
        node.fault(0, Fault::NoTemperature);
        node.run_until(10, |ticks| state(ticks) == State::Blind);
        let mut last = ceiling(&node).unwrap();
        assert!(last.megahertz() <= 3003 * 3 / 4, "{last}");
        for _ in 0..600 {
            node.step();
            let now = ceiling(&node).unwrap();
            assert!(now <= last, "{last} → {now}");
            last = now;
        }
        node.fault(0, Fault::None);
        let over = hottest(&mut node, 1800);
        assert!(over <= OVERSHOOT, "{over}");
        is_given_back(&mut node);
    }
}

#[test]
fn a_restarted_guard_goes_on_from_the_ceiling_in_the_journal() {
    let mut node = node(named("gb10"));
    node.set(0, room(HOT));
    node.run(1800);
    for _ in 0..5 {
        let before = ceiling(&node).unwrap();
        let claim = node.journal(0).unwrap().claim;
        assert!(claim.locks[ClockDomain::Gpu] && claim.limit.is_none());
        node.restart(0);
        node.step();
        // Of the last two ceilings, the journal tells the slower one.
        let now = ceiling(&node).unwrap();
        let steps = before.megahertz() - now.megahertz();
        assert!(now <= before && steps <= 30, "{before} → {now}");
        let over = hottest(&mut node, 600);
        assert!(over <= 0.7, "{over}");
        assert!(over_alert(&node) > -2.0, "{}", over_alert(&node));
    }
    node.restart(0);
    is_given_back(&mut node);
}

#[test]
fn giving_back_goes_in_steps() {
    let mut node = node(named("gb10"));
    node.set(0, room(HOT));
    node.run(1800);
    node.set(0, IDLE);
    let mut ceilings = vec![ceiling(&node)];
    for _ in 0..600 {
        node.step();
        if ceilings.last() != Some(&ceiling(&node)) {
            ceilings.push(ceiling(&node));
        }
    }
    assert!(ceilings.len() >= 3, "{ceilings:?}");
    let rising = ceilings
        .iter()
        .map(|it| it.map_or(u32::MAX, Megahertz::megahertz));
    assert!(rising.is_sorted(), "{ceilings:?}");
    assert_eq!(ceilings.last(), Some(&None));
}

#[test]
fn under_the_floor_of_the_clock_the_other_rungs_follow() {
    let settings = Settings {
        clock_floor: thermal_guard::units::Ratio::new(0.8),
        ..Settings::default()
    };
    let mut node = Node::new(&[named("gb10")], &settings);
    node.set(0, room(Celsius::new(53.0)));
    let floor = 3003 * 8 / 10;
    let mut batch_first = None;
    for _ in 0..1800 {
        let app = node.step()[0].decision.targets.app;
        let clock = ceiling(&node).map_or(u32::MAX, Megahertz::megahertz);
        if batch_first.is_none() && (clock < floor || app > thermal_guard::policy::AppMode::Gradual)
        {
            batch_first = Some(app);
        }
    }
    assert!(
        batch_first > Some(thermal_guard::policy::AppMode::Gradual),
        "{batch_first:?}"
    );
    is_given_back(&mut node);
}
