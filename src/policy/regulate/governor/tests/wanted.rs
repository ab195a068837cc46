//! What share of the power is wanted, and when.

use super::*;

/// What a share of the power moves within ten seconds and within thirty, by the picture.
const WITHIN_10: f64 = 17.6 * 0.864_664_716_763_387 + 37.4 * 0.166_247_081_812_303;
const WITHIN_30: f64 = 17.6 * 0.997_521_247_823_334 + 37.4 * 0.420_432_177_389_614;

#[track_caller]
fn assert_wants(governor: &Governor, second: u64, drive: Drive, wanted: Option<f64>) {
    let got = governor.wanted(at(second), drive);
    let same = match (got, wanted) {
        (Some(got), Some(wanted)) => near(got, wanted),
        (got, wanted) => got.is_none() && wanted.is_none(),
    };
    assert!(same, "{got:?}, not {wanted:?}");
}

#[test]
fn an_error_within_the_noise_changes_nothing() {
    let mut governor = resting(-0.21, 300, Some(w(300)));
    governor.average = CelsiusDelta::new(-0.21);
    assert_wants(&governor, 1000, drive(300), None);
    governor.average = CelsiusDelta::new(-0.79);
    assert_wants(&governor, 1000, drive(300), None);
}

#[test]
fn a_resting_card_a_little_over_is_brought_back_mildly() {
    let governor = resting(-0.1, 300, Some(w(300)));
    assert_wants(&governor, 29, drive(300), None);
    assert_wants(&governor, 30, drive(300), Some(0.75 - 0.4 / 55.0));
}

#[test]
fn a_trim_goes_further_along_a_trend_and_not_against_it() {
    for (off, trend, times) in [
        (0.5, 0, 1.0),
        (0.5, -1, 1.5),
        (0.5, -2, 2.0),
        (0.5, -3, 2.5),
        (0.5, -7, 2.5),
        (0.5, 2, 1.0),
        (-0.5, 2, 2.0),
        (-0.5, 1, 1.5),
        (-0.5, 0, 1.0),
        (-0.5, -2, 1.0),
    ] {
        let mut governor = fresh();
        governor.steps.trend = trend;
        let trimmed = governor
            .steps
            .trimmed(Ratio::new(0.75), CelsiusDelta::new(off));
        assert!(near(trimmed, 0.75 - off / 55.0 * times), "{off} {trend}");
    }
}

#[test]
fn a_card_far_over_goes_down_at_once_to_what_ends_at_the_set_point() {
    let governor = resting(2.0, 300, Some(w(300)));
    assert_wants(&governor, 0, drive(300), Some(0.75 - 2.5 / WITHIN_10));
    let unlimited = resting(2.0, 390, None);
    assert_wants(&unlimited, 0, drive(390), Some(0.975 - 2.5 / WITHIN_10));
}

#[test]
fn a_limit_that_does_not_bind_is_brought_under_the_draw_first() {
    // 200 W under a limit of 300: what counts is the draw.
    let little = resting(0.0, 200, Some(w(300)));
    assert_wants(&little, 3, drive(200), None);
    assert_wants(&little, 4, drive(200), Some(0.5 - 0.5 / WITHIN_10));
    // 0.9 over is more than a twenty-fifth of the default limit: at once.
    let more = resting(0.4, 200, Some(w(300)));
    assert_wants(&more, 0, drive(200), Some(0.5 - 0.9 / WITHIN_10));
}

#[test]
fn a_draw_from_95_percent_of_the_limit_on_leans_on_it() {
    // 285 of 300 W. One that nothing holds back has no use for more.
    let leans = resting(-15.0, 286, Some(w(300)));
    let loose = resting(-15.0, 284, Some(w(300)));
    assert!(leans.wanted(at(20), drive(286)).is_some());
    assert!(loose.wanted(at(20), drive(284)).is_none());
}

#[test]
fn a_card_with_much_room_goes_up_by_steps_and_seldom() {
    let governor = resting(-2.0, 300, Some(w(300)));
    assert_wants(&governor, 19, drive(300), None);
    assert_wants(&governor, 20, drive(300), Some(0.75 + 1.2 / WITHIN_30));
    let cold = resting(-15.0, 300, Some(w(300)));
    assert_wants(&cold, 20, drive(300), Some(0.75 + 0.08));
    let hardly = resting(-1.45, 300, Some(w(300)));
    assert_wants(&hardly, 20, drive(300), None);
}

#[test]
fn nothing_goes_up_where_nothing_holds_back() {
    assert_wants(&resting(-15.0, 400, None), 500, drive(400), None);
    assert_wants(&resting(-15.0, 200, Some(w(300))), 500, drive(200), None);
}

#[test]
fn a_resting_card_off_the_set_point_is_trimmed_once_in_a_while() {
    let mut governor = resting(-0.9, 300, Some(w(300)));
    governor.average = CelsiusDelta::new(-0.9);
    assert_wants(&governor, 89, drive(300), None);
    assert_wants(&governor, 90, drive(300), Some(0.75 + 0.4 / 55.0));
    governor.steps.turns = 2;
    assert_wants(&governor, 269, drive(300), None);
    assert_wants(&governor, 270, drive(300), Some(0.75 + 0.4 / 55.0));
}

#[test]
fn a_card_on_the_move_is_not_trimmed() {
    let mut governor = resting(-0.9, 300, Some(w(300)));
    governor.average = CelsiusDelta::new(-0.9);
    governor.observe(at(1), &over_alert(0.9), &drive(300));
    governor.average = CelsiusDelta::new(-0.9);
    assert!(!governor.observer.is_steady());
    assert_wants(&governor, 500, drive(300), None);
}

/// The draw is read wrong: the forecast for the limit on the card is far too low.
#[test]
fn over_alert_a_forecast_is_believed_for_twenty_seconds() {
    let mut governor = resting(3.0, 320, Some(w(240)));
    governor.moved = at(0);
    let mut wanted = |second: u64| {
        for last in [second - 1, second] {
            governor.observe(at(last), &over_alert(3.0), &drive(320));
        }
        governor.wanted(
            at(second),
            Drive {
                limit: Some(w(240)),
                ..drive(320)
            },
        )
    };
    assert_eq!(wanted(19), None);
    let lower = wanted(20).expect("it stays hot");
    assert!(lower < Ratio::new(0.6), "{lower:?}");
}
