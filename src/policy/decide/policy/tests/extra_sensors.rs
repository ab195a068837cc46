//! Sensors in files: what is held for one that is lost.

use super::*;

/// An inlet sensor of 38 / 45 / 32 that says this, or nothing any more.
fn sensor(now: Option<f64>, last: f64) -> ExtraSensor {
    ExtraSensor {
        name: "inlet".into(),
        trips: crate::policy::Trips {
            alert: Celsius::new(38.0),
            critical: Celsius::new(45.0),
            safe: Celsius::new(32.0),
        },
        now: now.map(Celsius::new),
        last: Some(Celsius::new(last)),
        left_hot: false,
    }
}

#[test]
fn a_throttle_by_a_lost_extra_sensor_is_kept_except_by_a_pause() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(Some(40.0), 40.0)];
    assert_eq!(card.tick(COOL).state, State::Gradual);
    card.extra_sensors = vec![sensor(None, 40.0)];
    for _ in 0..300 {
        let held = card.tick(COOL);
        assert!(held.withheld && held.state == State::Gradual, "{held:?}");
        assert_eq!(held.doubt, Some(Doubt::ExtraSensor));
    }
    card.paused = true;
    let paused = card.tick(COOL);
    assert!(
        !paused.withheld && paused.state != State::Gradual,
        "{paused:?}"
    );
}

#[test]
fn a_recovery_rests_while_a_probe_is_lost_above_safe() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(Some(40.0), 40.0)];
    card.tick(COOL);
    card.extra_sensors = vec![sensor(Some(36.0), 36.0)];
    card.apps_well = false;
    // Its governor finds the way up in steps, since a reading that never moves teaches it nothing.
    while card.tick(COOL).state != State::Recovering {
        assert!(card.second < 600, "it never recovers");
    }
    card.extra_sensors = vec![sensor(None, 36.0)];
    card.apps_well = true;
    for _ in 0..300 {
        assert_eq!(card.tick(COOL).state, State::Recovering);
    }
    card.extra_sensors = vec![sensor(Some(30.0), 30.0)];
    while card.tick(COOL).state != State::Normal {
        assert!(card.second < 1000, "it is never given back");
    }
}

#[test]
fn a_probe_that_was_safe_when_it_was_lost_keeps_nothing() {
    let mut card = Card::new();
    card.extra_sensors = vec![sensor(None, 30.0)];
    card.tick(HOT);
    assert!(!card.tick(COOL).withheld);
    while card.tick(COOL).state != State::Normal {
        assert!(card.second < 1000, "it is never given back");
    }
}
