//! Rooms from cool to too hot: what is held, given back, or called infeasible.

use thermal_guard::clock::Clock;
use thermal_guard::policy::TripOverrides;

use super::*;

#[test]
fn a_cool_room_is_never_written_to() {
    for profile in profile::ALL {
        let mut node = Node::new(&[profile], &Settings::default());
        node.set(0, room(COOL));
        let ticks = node.run(3600);
        assert_eq!(state(&ticks), State::Normal, "{}", profile.key);
        assert_eq!(node.rack.card(0).limit_writes, 0, "{}", profile.key);
    }
}

#[test]
fn a_hot_room_is_held_under_critical_and_given_back_exactly() {
    for profile in profile::ALL {
        let mut node = Node::new(&[profile], &Settings::default());
        // An operator's own limit, not the default.
        let original = profile
            .default_limit
            .saturating_sub(Watts::from_milliwatts(7_531));
        node.rack.card(0).limit = original;
        node.set(0, room(HOT));
        node.run_until(300, |ticks| state(ticks) == State::Gradual);
        for _ in 0..3600 {
            node.step();
            let margin = node.rack.card(0).state.margin(profile);
            assert!(margin > Celsius::new(0.0), "{} {margin}", profile.key);
            assert!(node.limit(0) <= original);
        }
        node.set(0, IDLE);
        node.run_until(300, |ticks| state(ticks) == State::Normal);
        assert_untouched(&node, 0, original);
    }
}

#[test]
fn two_gpus_one_hot_the_other_is_untouched() {
    let card = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[card, card], &Settings::default());
    node.set(0, room(HOT));
    node.set(1, room(COOL));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    let ticks = node.run(600);
    assert_eq!(ticks[1].decision.state, State::Normal);
    assert_eq!(node.rack.card(1).limit_writes, 0);
    assert!(node.limit(0) < card.default_limit);
}

#[test]
fn a_gpu_that_settles_between_safe_and_alert_of_its_own_returns_to_normal() {
    let mut node = a100();
    node.set(0, room(HOT));
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    // 75 °C at full power: over safe (72), under the set point (77).
    node.set(0, room(Celsius::new(22.0)));
    node.run_until(1200, |ticks| state(ticks) == State::Normal);
    let ticks = node.run(600);
    assert_eq!(state(&ticks), State::Normal);
    let temperature = node.rack.card(0).state.core();
    assert!(
        temperature > Celsius::new(72.0) && temperature < Celsius::new(77.0),
        "{temperature}"
    );
    assert_untouched(&node, 0, profile::named("a100-80gb").unwrap().default_limit);
}

#[test]
fn an_emergency_ends_although_the_plant_stays_over_safe_at_its_minimum() {
    let mut node = a100();
    // At 100 W the A100 80GB sits 13 °C over its inlet.
    let desert = Conditions {
        airflow_resistance: 1.1,
        ..room(Celsius::new(60.0))
    };
    node.set(0, desert);
    // Caught by surprise: hot already, before the first look.
    let mut card = node.rack.card(0);
    (card.state.die, card.state.sink) = (90.0, 82.0);
    drop(card);
    node.run_until(300, |ticks| state(ticks) == State::Emergency);
    node.run_until(300, |ticks| state(ticks) == State::Gradual);
    let card = node.rack.card(0);
    assert!(
        card.state.core() > Celsius::new(72.0),
        "{}",
        card.state.core()
    );
}

#[test]
fn what_cannot_be_held_is_called_infeasible_and_not_cycled() {
    let mut node = a100();
    node.set(0, room(Celsius::new(76.0)));
    node.run(600);
    let writes = node.rack.card(0).limit_writes;
    let ticks = node.run(1800);
    assert!(ticks[0].decision.infeasible);
    assert_eq!(
        node.limit(0),
        profile::named("a100-80gb").unwrap().min_limit
    );
    assert_eq!(
        node.rack.card(0).limit_writes,
        writes,
        "no writes once nothing is left to do"
    );
}

#[test]
fn configured_trips_are_obeyed() {
    let trips = TripOverrides {
        alert: Some(Celsius::new(60.0)),
        critical: Some(Celsius::new(70.0)),
        safe: Some(Celsius::new(50.0)),
        ..TripOverrides::default()
    };
    let settings = Settings {
        trips,
        ..Settings::default()
    };
    let mut node = Node::new(&[profile::named("h100").unwrap()], &settings);
    node.set(0, room(Celsius::new(25.0)));
    for _ in 0..1800 {
        node.step();
        assert!(node.rack.card(0).state.core() < Celsius::new(70.0));
    }
}

#[test]
fn a_simulated_day_takes_under_a_second_when_optimised() {
    let day = || {
        let mut node = a100();
        let wall = Clock::start(1.0);
        for hour in 0..24 {
            let inlet = if hour % 2 == 0 { HOT } else { COOL };
            node.set(0, room(inlet));
            node.run(3600);
        }
        wall.wall().since_start()
    };
    let best = (0..3).map(|_| day()).min().unwrap();
    println!("measured: a simulated day in {best:?}");
    // Absolute times mean little in an unoptimised build beside other tests.
    assert!(
        cfg!(debug_assertions) || best < Duration::from_secs(1),
        "{best:?}"
    );
}
