//! What it learns: set point, swing, average, trend, and how long to wait.

use super::*;

#[test]
fn the_set_point_is_half_a_degree_under_alert_and_lower_where_it_swings() {
    for (swing, set_point) in [
        (0.0, -0.5),
        (0.35, -0.5),
        (0.6, -0.75),
        (0.85, -1.0),
        (9.0, -1.0),
    ] {
        let mut governor = fresh();
        governor.swing = CelsiusDelta::new(swing);
        assert!(near(governor.set_point(), set_point), "{swing}");
    }
}

#[test]
fn a_swing_is_known_at_once_and_forgotten_within_a_quarter_of_an_hour() {
    let mut governor = fresh();
    governor.observe(at(0), &over_alert(0.0), &drive(300));
    assert!(near(governor.swing, 0.5), "over the set point by half");
    governor.observer = resting(-20.0, 300, None).observer;
    governor.observe(at(90), &over_alert(-20.0), &unread());
    assert!(near(governor.swing, 0.45), "a tenth of the time");
    governor.observe(at(1000), &over_alert(-20.0), &unread());
    assert!(governor.swing <= CelsiusDelta::ZERO);
}

#[test]
fn the_average_follows_within_twenty_seconds() {
    let mut governor = fresh();
    governor.observe(at(5), &over_alert(-4.5), &drive(300));
    assert!(near(governor.average, -0.5 - 4.0 / 20.0), "a first second");
    governor.observe(at(15), &over_alert(-4.5), &unread());
    assert!(near(governor.average, -0.7 - 3.8 / 2.0), "ten more");
    governor.observe(at(60), &over_alert(-4.5), &unread());
    assert!(near(governor.average, -4.5));
}

#[test]
fn a_card_whose_draw_is_unknown_is_not_taken_for_idle() {
    let mut governor = resting(-3.0, 300, None);
    governor.observe(at(1), &over_alert(50.0), &unread());
    assert!(near(governor.observer.level(), -3.0));
}

#[test]
fn steps_in_a_row_are_a_trend_and_turns_are_counted_to_four() {
    let mut governor = fresh();
    let mut seen = Vec::new();
    let (up, down) = (Step::Up, Step::Down);
    for step in [up, up, up, down, down, up, down, up, down, up] {
        governor.steps.learn(at(0), step);
        seen.push((governor.steps.trend, governor.steps.turns));
    }
    assert_eq!(
        seen,
        [
            (1, 1),
            (2, 0),
            (3, 0),
            (-1, 1),
            (-2, 0),
            (1, 1),
            (-1, 2),
            (1, 3),
            (-1, 4),
            (1, 4)
        ]
    );
}

#[test]
fn a_step_up_that_is_soon_taken_back_makes_the_next_wait_longer() {
    let mut governor = fresh();
    let dwell = |governor: &Governor| governor.steps.up_dwell.as_secs();
    governor.steps.learn(at(0), Step::Up);
    governor.steps.learn(at(120), Step::Down);
    assert_eq!(
        dwell(&governor),
        20,
        "after two minutes it was another heat"
    );
    governor.steps.learn(at(200), Step::Up);
    governor.steps.learn(at(319), Step::Down);
    assert_eq!(dwell(&governor), 40);
    governor.steps.learn(at(320), Step::Down);
    assert_eq!(dwell(&governor), 40, "taken back once only");
    for round in 0..9 {
        governor.steps.learn(at(400 + round), Step::Up);
        governor.steps.learn(at(400 + round), Step::Down);
    }
    assert_eq!(dwell(&governor), 640, "and no longer than that");
    governor.steps.learn(at(1000), Step::Up);
    governor.steps.learn(at(1240), Step::Up);
    assert_eq!(dwell(&governor), 640, "four minutes are not over");
    governor.steps.learn(at(1481), Step::Up);
    assert_eq!(dwell(&governor), 20);
}

#[test]
fn regulating_up_counts_as_up_and_down_as_down() {
    let mut down = resting(2.0, 300, Some(w(300)));
    down.regulate(at(1), &over_alert(2.0), drive(300));
    assert!(down.setting < Some(w(300)));
    assert_eq!((down.steps.trend, down.moved), (-1, at(1)));
    let mut up = resting(-5.0, 300, Some(w(300)));
    up.regulate(at(20), &over_alert(-5.0), drive(300));
    assert!(up.setting > Some(w(300)));
    assert_eq!(up.steps.trend, 1);
}

#[test]
fn a_move_restarts_the_average_for_the_trim() {
    let mut governor = resting(-3.0, 300, Some(w(300)));
    (governor.average, governor.floored_since) = (CelsiusDelta::new(-3.0), Some(at(0)));
    governor.move_to(at(5), Some(w(310)));
    assert!(near(governor.average, -0.5));
    assert_eq!((governor.moved, governor.floored_since), (at(5), None));
}
