//! What can be read, and what can't.

use super::*;

#[test]
fn one_failed_read_is_a_blink_and_changes_no_state() {
    for poll in POLLS {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.look();
        bench.reading.core = Err(FAILED);
        let blink = bench.look();
        assert_eq!(blink.view, View::Blink, "{poll}");
        assert_eq!(state(&blink, Sensor::Core), SensorState::Working);
        let again = bench.says(60.0);
        assert_eq!(heat(&again).to_alert, c(18.0));
        assert_eq!((again.doubt, again.doubted), (None, None));
    }
}

#[test]
fn a_core_that_fails_for_two_seconds_and_twice_makes_blind_and_is_told_as_failing() {
    // A poll of ten seconds is blind with its second failure.
    for (poll, expected) in [(0.1, 2.1), (1.0, 3.0), (10.0, 20.0)] {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.look();
        bench.reading.core = Err(FAILED);
        let took = bench.until_blind();
        assert!((took - expected).abs() < 0.15, "{poll}: {took}");
        let judgement = bench.look();
        assert_eq!(judgement.doubt, Some(Doubt::Missing));
        assert_eq!(judgement.doubted, Some(Sensor::Core));
        let report = judgement.sensors[Sensor::Core];
        let failing = (SensorState::Failing, Some(FAILED));
        assert_eq!((report.state, report.missing), failing);
        assert_eq!(bench.judge.doubted()[Sensor::Core], Some(Doubt::Missing));
    }
}

#[test]
fn a_storm_of_wakes_neither_blinds_nor_gives_sight() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(FAILED);
    for wake in 0..1000 {
        bench.seconds += 0.01;
        assert_eq!(bench.look_now(false).view, View::Blink, "{wake}");
    }
    assert!(is_blind(&bench.pass(3.0)));
    bench.reading.core = Ok(c(60.0));
    for wake in 0..2000 {
        bench.seconds += 0.01;
        assert!(is_blind(&bench.look_now(false)), "{wake}");
    }
}

#[test]
fn sight_takes_nine_good_seconds_at_every_pace() {
    for (poll, expected) in [(0.1, 9.1), (1.0, 10.0), (10.0, 20.0)] {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.reading.core = Err(FAILED);
        bench.until_blind();
        bench.reading.core = Ok(c(60.0));
        let from = bench.seconds;
        while is_blind(&bench.look()) {}
        let took = bench.seconds - from;
        assert!((took - expected).abs() < 0.15, "{poll}: {took}");
    }
}

#[test]
fn a_sensor_that_fails_from_the_first_read_is_no_absence() {
    for why in [FAILED, Missing::Implausible(255)] {
        let mut bench = Bench::core(60.0);
        bench.reading.core = Err(why);
        bench.until_blind();
        assert_eq!(state(&bench.look(), Sensor::Core), SensorState::Failing);
    }
}

#[test]
fn a_sensor_that_was_never_offered_is_absent_and_one_that_once_worked_never_is() {
    let mut none = Bench::new(None, None, None);
    for _ in 0..100 {
        let judgement = none.look();
        assert_eq!(judgement.view, View::Never);
        assert_eq!(state(&judgement, Sensor::Core), SensorState::Absent);
    }
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(NONE);
    assert_eq!(bench.look().view, View::Blink);
    bench.until_blind();
    assert_eq!(state(&bench.look(), Sensor::Core), SensorState::Failing);
}

#[test]
fn a_card_that_was_away_has_no_more_sensors_than_before() {
    let mut bench = Bench::core(60.0);
    bench.look();
    let before = bench.reading.clone();
    for away in [Missing::Lost, FAILED] {
        bench.reading = Reading::missing(Moment::START, away);
        bench.pass(5.0);
        bench.reading = before.clone();
        let judgement = bench.pass(30.0);
        assert_eq!(heat(&judgement).to_alert, c(18.0), "{away:?}");
        assert_eq!(state(&judgement, Sensor::Memory), SensorState::Absent);
        assert_eq!(bench.judge.doubted(), BySensor::default());
    }
}

#[test]
fn another_driver_may_have_other_sensors_and_the_same_one_has_not() {
    for (version, absent) in [("580", false), ("590", true)] {
        let mut bench = Bench::core(60.0);
        bench.judge.reopened(Some("580"));
        bench.look();
        bench.reading.core = Err(NONE);
        bench.judge.reopened(Some(version));
        let state = state(&bench.pass(10.0), Sensor::Core);
        assert_eq!(state == SensorState::Absent, absent, "{version}");
    }
}

#[test]
fn a_critical_reading_is_acted_on_even_while_blind() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(FAILED);
    bench.until_blind();
    let View::Blind(Some(heat)) = bench.says(91.0).view else {
        panic!("not trusted yet, and hot all the same");
    };
    assert!(heat.is_critical());
}

#[test]
fn a_rise_is_always_believed() {
    let mut bench = Bench::core(40.0);
    bench.look();
    assert!(heat(&bench.says(95.0)).is_critical());
}

#[test]
fn cool_is_what_is_seen_safe_and_nothing_else() {
    assert!(Bench::core(72.0).look().is_cool());
    assert!(!Bench::core(72.1).look().is_cool());
    let mut blink = Bench::core(60.0);
    blink.look();
    blink.reading.core = Err(FAILED);
    assert!(!blink.look().is_cool());
    let mut lost = Bench::core(60.0);
    lost.reading.core = Err(FAILED);
    lost.until_blind();
    lost.reading.core = Ok(c(40.0));
    assert!(!lost.look().is_cool(), "one good read is no proof");
    assert!(!Bench::new(None, None, None).look().is_cool());
}

#[test]
fn a_draw_that_fails_is_the_last_one_for_three_seconds() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.draw = Err(FAILED);
    for _ in 0..3 {
        assert_eq!(bench.look().draw, Some(Watts::from_watts(300)));
    }
    let judgement = bench.look();
    assert_eq!(judgement.draw, None);
    assert_eq!(state(&judgement, Sensor::Power), SensorState::Failing);
    assert_eq!(judgement.doubt, None, "it isn't what tells how hot it is");
}

#[test]
fn one_failed_read_of_the_draw_is_no_failing_sensor() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.draw = Err(FAILED);
    assert_eq!(state(&bench.look(), Sensor::Power), SensorState::Working);
}
