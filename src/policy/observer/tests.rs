use super::*;
use crate::units::Celsius;

fn at(second: u32) -> Moment {
    Moment::from_secs_f64(f64::from(second))
}

/// A reading so many degrees over alert (negative: under it).
fn over_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(-degrees);
    Heat {
        to_alert,
        to_critical: to_alert,
        to_safe: to_alert,
    }
}

/// A card of 400 W that has rested for long at a share of it.
fn resting(level: f64, power: f64) -> Observer {
    let mut observer = Observer::new(Watts::from_watts(400));
    let draw = Watts::from_f64(400.0 * power);
    observer.observe(at(0), &over_alert(level), draw);
    observer
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6
}

/// What is left of a distance after so many time constants.
fn left(constants: f64) -> f64 {
    (-constants).exp()
}

#[test]
fn what_rests_is_foreseen_to_rest() {
    let observer = resting(-3.0, 0.8);
    assert!(near(observer.level(), -3.0));
    assert!(near(observer.draw(), 0.8));
    assert!(observer.is_steady());
    for seconds in [1, 10, 180, 3600] {
        let then = observer.predict(0.8, Duration::from_secs(seconds));
        assert!(near(then, -3.0), "{then} after {seconds} s");
    }
}

#[test]
fn power_moves_the_die_within_seconds_and_the_sink_within_minutes() {
    let observer = resting(-3.0, 0.8);
    for (power, change) in [(0.9, 0.1), (0.4, -0.4)] {
        for seconds in [1.0, 5.0, 55.0, 600.0_f64] {
            // 55 °C at the default limit: 17.6 of the die, 37.4 of the sink.
            let die = 17.6 * (1.0 - left(seconds / 5.0));
            let sink = 37.4 * (1.0 - left(seconds / 55.0));
            let then = observer.predict(power, Duration::from_secs_f64(seconds));
            assert!(near(then, -3.0 + change * (die + sink)), "{then}");
        }
    }
}

#[test]
fn the_power_for_a_temperature_is_the_one_that_leads_there() {
    let mut observer = resting(-3.0, 0.8);
    observer.slope = 0.02;
    for ahead in [5, 30, 180].map(Duration::from_secs) {
        for target in [-10.0, -0.5, 4.0] {
            let power = observer.power_for(target, ahead);
            assert!(near(observer.predict(power, ahead), target), "{target}");
        }
    }
}

#[test]
fn a_trend_goes_on_in_what_is_foreseen() {
    let mut observer = resting(-3.0, 0.8);
    observer.slope = 0.02;
    assert!(near(observer.predict(0.8, Duration::from_secs(30)), -2.4));
}

#[test]
fn a_tenth_of_the_power_is_five_and_a_half_degrees_in_the_end() {
    assert!(near(Observer::power_per(5.5), 0.1));
    assert!(near(Observer::power_per(-11.0), -0.2));
}

#[test]
fn a_card_like_the_picture_holds_no_surprise() {
    let mut observer = resting(-20.0, 0.4);
    // The picture itself, in steps of a twentieth of a second; the load comes and goes.
    let (mut die, mut sink) = (17.6 * 0.4, 37.4 * 0.4);
    let outside = -20.0 - die - sink;
    let mut before = 0.4;
    for second in 1..=300 {
        let power = if second % 100 < 50 { 0.9 } else { 0.4 };
        let mean = f64::midpoint(before, power);
        before = power;
        for _ in 0..20 {
            die += (17.6 * mean - die) * 0.05 / 5.0;
            sink += (37.4 * mean - sink) * 0.05 / 55.0;
        }
        let draw = Watts::from_f64(400.0 * power);
        observer.observe(at(second), &over_alert(outside + die + sink), draw);
    }
    assert!((observer.die - die).abs() < 0.3, "{} {die}", observer.die);
    assert!(
        (observer.sink - sink).abs() < 0.3,
        "{} {sink}",
        observer.sink
    );
    assert!((observer.outside - outside).abs() < 0.5);
    assert!(observer.is_steady());
}

#[test]
fn the_draw_between_two_readings_is_their_mean() {
    let mut observer = resting(0.0, 0.4);
    observer.observe(at(2), &over_alert(0.0), Watts::from_watts(320));
    assert!(near(observer.draw(), 0.8));
    // Towards what 0.6 holds, for two seconds.
    let die = 17.6 * (0.4 + 0.2 * (1.0 - left(0.4)));
    let sink = 37.4 * (0.4 + 0.2 * (1.0 - left(2.0 / 55.0)));
    assert!(near(observer.die, die) && near(observer.sink, sink));
}

#[test]
fn one_odd_reading_is_taken_for_a_tenth_of_it() {
    let mut observer = resting(0.0, 0.5);
    observer.correct(1.0, 1.0);
    assert!(near(observer.level(), 0.08));
    assert!(near(observer.surprise, 1.0 - left(0.25)));
    assert!(near(observer.slope, 0.0008 * left(1.0 / 30.0)));
    assert!(observer.is_steady());
}

#[test]
fn readings_that_insist_are_followed_at_once() {
    // At 0.6 °C of surprise not yet.
    for (surprise, level, slope) in [(0.6, 0.08, 0.0008), (0.7, 0.3, 0.015), (-2.0, 0.3, 0.015)] {
        let mut observer = resting(0.0, 0.5);
        observer.surprise = surprise;
        let read = if surprise < 0.0 { -0.6 } else { 0.6 };
        observer.correct(read, 2.0);
        assert!(near(observer.level(), 2.0 * level * read), "{surprise}");
        let faded = left(2.0 / 30.0);
        assert!(near(observer.slope, 2.0 * slope * read * faded));
    }
}

#[test]
fn after_a_gap_the_reading_itself_is_believed_and_not_more() {
    let mut observer = resting(0.0, 0.5);
    observer.surprise = 5.0;
    observer.correct(5.0, 10.0);
    assert!(near(observer.level(), 5.0));
}

#[test]
fn a_trend_moves_the_level_and_fades_unless_confirmed() {
    let mut observer = resting(0.0, 0.5);
    observer.slope = 0.1;
    observer.correct(0.2, 2.0);
    assert!(near(observer.level(), 0.2));
    assert!(near(observer.slope, 0.1 * left(2.0 / 30.0)));
}

#[test]
fn no_trend_is_steeper_than_a_failing_fan() {
    for (read, steepest) in [(100.0, 0.5), (-100.0, -0.5)] {
        let mut observer = resting(0.0, 0.5);
        observer.correct(read, 5.0);
        assert!(near(observer.slope, steepest));
    }
}

#[test]
fn a_trend_or_a_surprise_is_no_steadiness() {
    for (slope, surprise, steady) in [
        (0.0099, 0.29, true),
        (-0.0099, -0.29, true),
        (0.01, 0.0, false),
        (-0.02, 0.0, false),
        (0.0, 0.3, false),
        (0.0, -0.5, false),
    ] {
        let observer = Observer {
            slope,
            surprise,
            ..resting(0.0, 0.5)
        };
        assert_eq!(observer.is_steady(), steady, "{slope} {surprise}");
    }
}
