//! Sensors that fail or freeze, and cards that are lost.

use thermal_guard::sim::faults::{Answer, Call, NOT_SUPPORTED};

use super::*;

#[test]
fn a_lost_gpu_is_down_and_the_other_goes_on() {
    let card = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[card, card], &Settings::default());
    node.set(0, room(HOT));
    node.set(1, room(HOT));
    node.run(200);
    node.fault(0, Fault::Lost);
    let ticks = node.run(600);
    assert!(!ticks[0].up);
    assert_eq!(ticks[0].decision.unguarded, Some(Unguarded::NotOpen));
    assert!(ticks[1].up && ticks[1].decision.state == State::Gradual);
    assert!(node.rack.card(1).state.margin(card) > Celsius::new(0.0));
    node.fault(0, Fault::None);
    node.run_until(30, |ticks| ticks[0].up);
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
    assert_untouched(&node, 0, card.default_limit);
}

#[test]
fn a_blind_guard_caps_and_never_raises() {
    let mut node = a100();
    node.set(0, room(Celsius::new(24.0)));
    node.run(300);
    node.fault(0, Fault::NoTemperature);
    node.run_until(3, |ticks| state(ticks) == State::Blind);
    let cap = node.limit(0);
    assert!(cap <= Watts::from_watts(192), "{cap}");
    for _ in 0..600 {
        node.step();
        assert!(node.limit(0) <= cap);
    }
    node.fault(0, Fault::None);
    node.set(0, IDLE);
    node.run_until(300, |ticks| state(ticks) == State::Normal);
}

#[test]
fn a_handle_that_only_fails_is_given_up_for_a_new_one() {
    let mut node = a100();
    node.set(0, room(Celsius::new(24.0)));
    node.run(60);
    node.fault(0, Fault::NoTemperature);
    assert_eq!(node.run(29)[0].counters.reopened, 0);
    assert_eq!(node.run(5)[0].counters.reopened, 1);
    let cap = node.limit(0);
    node.run(120);
    assert!(node.limit(0) <= cap, "blind, and never raised by it");
}

#[test]
fn a_gpu_that_never_offered_a_temperature_is_exported_left_alone_and_unguarded() {
    let mut node = a100();
    let no_sensor = Answer::code(NOT_SUPPORTED).times(Answer::FOR_EVER);
    for sensor in [
        Call::Temperature,
        Call::TemperatureV,
        Call::MemoryTemperature,
        Call::Margin,
    ] {
        node.rack.card(0).faults.answers.set(sensor, no_sensor);
    }
    node.set(0, room(HOT));
    let ticks = node.run(600);
    assert_eq!(ticks[0].decision.level, Level::None);
    assert_eq!(ticks[0].decision.unguarded, Some(Unguarded::NoTemperature));
    assert_eq!(node.rack.card(0).limit_writes, 0);
}

#[test]
fn a_gpu_whose_sensor_fails_from_the_first_read_on_is_blind_and_capped() {
    let mut node = a100();
    node.fault(0, Fault::NoTemperature);
    node.set(0, room(HOT));
    let ticks = node.run(600);
    assert_eq!(ticks[0].decision.state, State::Blind);
    assert!(node.limit(0) <= Watts::from_watts(192), "{}", node.limit(0));
    assert!(
        node.rack
            .card(0)
            .state
            .margin(profile::named("a100-80gb").unwrap())
            > Celsius::new(0.0)
    );
}

#[test]
fn a_storm_of_wakes_neither_blinds_nor_gives_sight() {
    let mut node = a100();
    node.set(0, room(COOL));
    node.run(10);
    node.fault(0, Fault::NoTemperature);
    for _ in 0..100 {
        let ticks = node.step_by(Duration::from_millis(5));
        assert_eq!(state(&ticks), State::Normal);
    }
    node.run(3);
    node.fault(0, Fault::None);
    for _ in 0..100 {
        let ticks = node.step_by(Duration::from_millis(5));
        assert_eq!(state(&ticks), State::Blind);
    }
}

#[test]
fn a_frozen_sensor_is_found_out_by_the_power_and_the_card_stays_under_critical() {
    for profile in profile::ALL {
        let mut node = Node::new(&[profile], &Settings::default());
        // Work that comes and goes in a warm room: free at first.
        let work = |second: u64| Conditions {
            load: Load {
                power: if second % 90 < 60 { 1.0 } else { 0.4 },
                compute_bound: 1.0,
            },
            ..room(Celsius::new(20.0))
        };
        for second in 0..300 {
            node.set(0, work(second));
            node.step();
        }
        node.fault(0, Fault::FrozenTemperature);
        let mut hottest = f64::MAX;
        for second in 300..4000 {
            let airless = Conditions {
                airflow_resistance: 1.6,
                ..work(second)
            };
            node.set(0, airless);
            node.step();
            hottest = hottest.min(node.rack.card(0).state.margin(profile).degrees());
        }
        assert!(hottest >= 0.0, "{}: {hottest}", profile.key);
    }
}
