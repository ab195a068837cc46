use super::*;
use crate::units::Celsius;
use crate::units::CelsiusPerSecond;
use crate::units::number::near;

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
    let mut observer = Observer::default();
    let draw = Ratio::new(power);
    observer.observe(at(0), &over_alert(level), Draws::steady(draw));
    observer
}

/// The picture that is believed.
fn believed(observer: &mut Observer) -> &mut Picture {
    &mut observer.pictures[observer.believed]
}

/// A reading of a steady draw.
const PLAIN: Belief = Belief {
    share: Ratio::WHOLE,
    surprising: SURPRISING,
};

const fn delta(degrees: f64) -> CelsiusDelta {
    CelsiusDelta::new(degrees)
}

const fn slope(degrees: f64) -> CelsiusPerSecond {
    CelsiusPerSecond::new(degrees)
}

/// What is left of a distance after so many time constants.
fn left(constants: f64) -> f64 {
    (-constants).exp()
}

#[test]
fn a_steady_card_is_predicted_to_stay_steady() {
    let observer = resting(-3.0, 0.8);
    assert!(near(observer.level(), -3.0));
    assert!(near(observer.draw(), 0.8));
    assert!(observer.is_steady());
    for seconds in [1, 10, 180, 3600] {
        let then = observer.predict(Ratio::new(0.8), Duration::from_secs(seconds));
        assert!(near(then, -3.0), "{then:?} after {seconds} s");
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
            let then = observer.predict(Ratio::new(power), Duration::from_secs_f64(seconds));
            assert!(near(then, -3.0 + change * (die + sink)), "{then:?}");
        }
    }
}

#[test]
fn the_power_for_a_temperature_is_the_one_that_leads_there() {
    let mut observer = resting(-3.0, 0.8);
    believed(&mut observer).slope = slope(0.02);
    for ahead in [5, 30, 180].map(Duration::from_secs) {
        for target in [-10.0, -0.5, 4.0] {
            let power = observer.power_for(delta(target), ahead);
            assert!(near(observer.predict(power, ahead), target), "{target}");
        }
    }
}

#[test]
fn a_trend_goes_on_in_what_is_foreseen() {
    let mut observer = resting(-3.0, 0.8);
    believed(&mut observer).slope = slope(0.02);
    assert!(near(
        observer.predict(Ratio::new(0.8), Duration::from_secs(30)),
        -2.4
    ));
}

#[test]
fn a_tenth_of_the_power_is_five_and_a_half_degrees_in_the_end() {
    assert!(near(Observer::power_per(delta(5.5)), 0.1));
    assert!(near(Observer::power_per(delta(-11.0)), -0.2));
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
        let draw = Ratio::new(power);
        let read = over_alert(outside + die + sink);
        observer.observe(at(second), &read, Draws::steady(draw));
    }
    let off = |a: CelsiusDelta, b: f64| (a - delta(b)).abs().degrees();
    assert!(
        off(observer.believed().die, die) < 0.3,
        "{observer:?} {die}"
    );
    assert!(
        off(observer.believed().sink, sink) < 0.3,
        "{observer:?} {sink}"
    );
    assert!(off(observer.believed().outside, outside) < 0.5);
    assert!(observer.is_steady());
}

#[test]
fn the_draw_between_two_readings_is_their_mean() {
    let mut observer = resting(0.0, 0.4);
    let draws = Draws::steady(Ratio::new(0.8));
    observer.observe(at(2), &over_alert(0.0), draws);
    assert!(near(observer.draw(), 0.8));
    // Towards what 0.6 holds, for two seconds.
    let die = 17.6 * (0.4 + 0.2 * (1.0 - left(0.4)));
    let sink = 37.4 * (0.4 + 0.2 * (1.0 - left(2.0 / 55.0)));
    assert!(near(observer.believed().die, die) && near(observer.believed().sink, sink));
}

#[test]
fn one_odd_reading_is_taken_for_a_tenth_of_it() {
    let mut observer = resting(0.0, 0.5);
    believed(&mut observer).correct(delta(1.0), Duration::from_secs(1), PLAIN);
    assert!(near(observer.level(), 0.08));
    assert!(near(observer.believed().surprise, 1.0 - left(0.25)));
    assert!(near(observer.believed().slope, 0.0008 * left(1.0 / 30.0)));
    assert!(observer.is_steady());
}

#[test]
fn readings_that_insist_are_followed_at_once() {
    // At 0.6 °C of surprise not yet.
    for (surprise, level, rate) in [(0.6, 0.08, 0.0008), (0.7, 0.3, 0.015), (-2.0, 0.3, 0.015)] {
        let mut observer = resting(0.0, 0.5);
        believed(&mut observer).surprise = delta(surprise);
        let read = if surprise < 0.0 { -0.6 } else { 0.6 };
        believed(&mut observer).correct(delta(read), Duration::from_secs(2), PLAIN);
        assert!(near(observer.level(), 2.0 * level * read), "{surprise}");
        let faded = left(2.0 / 30.0);
        assert!(near(observer.believed().slope, 2.0 * rate * read * faded));
    }
}

#[test]
fn after_a_gap_the_reading_itself_is_believed_and_not_more() {
    let mut observer = resting(0.0, 0.5);
    believed(&mut observer).surprise = delta(5.0);
    believed(&mut observer).correct(delta(5.0), Duration::from_secs(10), PLAIN);
    assert!(near(observer.level(), 5.0));
}

#[test]
fn a_trend_moves_the_level_and_fades_unless_confirmed() {
    let mut observer = resting(0.0, 0.5);
    believed(&mut observer).slope = slope(0.1);
    believed(&mut observer).correct(delta(0.2), Duration::from_secs(2), PLAIN);
    assert!(near(observer.level(), 0.2));
    assert!(near(observer.believed().slope, 0.1 * left(2.0 / 30.0)));
}

#[test]
fn no_trend_is_steeper_than_a_failing_fan() {
    for (read, steepest) in [(100.0, 0.5), (-100.0, -0.5)] {
        let mut observer = resting(0.0, 0.5);
        believed(&mut observer).correct(delta(read), Duration::from_secs(5), PLAIN);
        assert!(near(observer.believed().slope, steepest));
    }
}

#[test]
fn a_trend_or_a_surprise_is_no_steadiness() {
    for (rate, surprise, steady) in [
        (0.0099, 0.29, true),
        (-0.0099, -0.29, true),
        (0.01, 0.0, false),
        (-0.02, 0.0, false),
        (0.0, 0.3, false),
        (0.0, -0.5, false),
    ] {
        let mut observer = resting(0.0, 0.5);
        believed(&mut observer).slope = slope(rate);
        believed(&mut observer).surprise = delta(surprise);
        assert_eq!(observer.is_steady(), steady, "{rate} {surprise}");
    }
}

/// Bursts of 8 s with gaps of 4 s on a die of this speed, for two minutes.
fn after_bursts(die_seconds: f64) -> Observer {
    let mut observer = resting(-20.0, 0.1);
    let (mut die, mut before) = (17.6 * 0.1, 0.1);
    for second in 1..=120 {
        let power = if second % 12 < 8 { 0.7 } else { 0.1 };
        // As the observer has it: what the last second drew is the mean of both ends.
        let mean = f64::midpoint(before, power);
        before = power;
        die += (17.6 * mean - die) * (1.0 - left(1.0 / die_seconds));
        let draws = Draws::steady(Ratio::new(power));
        observer.observe(at(second), &over_alert(-21.76 + die), draws);
    }
    observer
}

#[test]
fn the_speed_of_the_die_is_learned_from_a_load_that_comes_and_goes() {
    for (seconds, picture) in [(0.15, 0), (0.4, 0), (1.5, 1), (5.0, 2), (8.0, 2)] {
        assert_eq!(after_bursts(seconds).believed, picture, "{seconds} s");
    }
}

#[test]
fn a_steady_load_tells_nothing_of_the_die() {
    let mut observer = resting(-20.0, 0.7);
    for second in 1..=600 {
        let read = over_alert(-20.0 + f64::from(second % 3));
        observer.observe(at(second), &read, Draws::steady(Ratio::new(0.7)));
    }
    assert_eq!(observer.believed, SLOWEST);
}

#[test]
fn a_reading_hardly_counts_while_the_draw_moves() {
    let moved = |draw: f64| {
        let mut observer = resting(0.0, 0.5);
        let draws = Draws::steady(Ratio::new(draw));
        let before = observer.predict(Ratio::new(f64::midpoint(0.5, draw)), Duration::from_secs(1));
        let read = before.degrees() + 1.0;
        observer.observe(at(1), &over_alert(read), draws);
        (observer.level() - before).degrees()
    };
    assert!(near(delta(moved(0.5)), 0.08));
    assert!(near(delta(moved(0.6)), 0.04), "half of it");
    assert!(near(delta(moved(0.9)), 0.016), "a fifth");
}

#[test]
fn a_dip_of_one_tick_moves_no_picture() {
    let mut observer = resting(0.0, 0.5);
    let draws = Draws {
        told: Ratio::new(0.2),
        lasting: Ratio::new(0.5),
    };
    observer.observe(at(1), &over_alert(0.0), draws);
    assert!(near(observer.level(), 0.0));
    assert!(near(observer.draw(), 0.2));
}

#[test]
fn noise_excuses_surprises_of_a_card_that_is_held() {
    let mut observer = resting(0.0, 0.5);
    for second in 1..=600 {
        let off = if (second * second / 7) % 2 == 0 {
            1.0
        } else {
            -1.0
        };
        observer.observe(at(second), &over_alert(off), Draws::steady(Ratio::new(0.5)));
    }
    assert_eq!(observer.surprising(), SURPRISING);
    observer.set_phase(Phase::Held);
    assert!(
        observer.surprising() > delta(1.2),
        "{:?}",
        observer.surprising()
    );
}
