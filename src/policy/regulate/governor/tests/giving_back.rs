//! Giving back, in steps, rungs first.

use super::*;

#[test]
fn giving_back_goes_half_the_way_then_half_the_rest_then_all() {
    let cool = over_alert(-20.0);
    let mut governor = resting(-20.0, 192, Some(w(200)));
    let mut limits = Vec::new();
    for step in 0..9 {
        if governor.give_back(at(5 * step), &cool, &drive(192)) {
            break;
        }
        limits.push(
            governor
                .setting
                .map_or(400, |limit| limit.milliwatts() / 1000),
        );
    }
    // 8 % of the default limit, 32 W, is near enough.
    assert_eq!(limits, [200, 300, 350, 375, 400]);
    assert!(governor.is_released());
}

#[test]
fn a_step_back_waits_five_seconds_and_for_a_cool_card() {
    let mut governor = resting(-20.0, 192, Some(w(200)));
    assert!(!governor.give_back(at(4), &over_alert(-20.0), &drive(192)));
    assert!(!governor.give_back(at(9), &over_alert(-1.0), &drive(192)));
    assert_eq!(governor.setting, Some(w(200)));
}

#[test]
fn giving_back_goes_no_further_than_the_set_point_if_the_card_uses_it() {
    let given = |draw: u32, level: f64| {
        let mut governor = resting(level, draw, Some(w(200)));
        governor.give_back(at(5), &over_alert(level), &drive(draw));
        governor.setting.map(|limit| limit.milliwatts() / 1000)
    };
    assert!(given(198, -3.0).is_some_and(|limit| (210..=230).contains(&limit)));
    assert_eq!(given(198, -1.1), Some(200), "not worth a write");
    assert_eq!(given(100, -3.0), Some(300), "it leans on nothing");
    assert_eq!(given(198, -8.0), Some(300), "it is safe");
}

#[test]
fn a_gap_of_just_eight_percent_is_given_back_whole() {
    for (limit, left) in [(w(368), None), (w(366), Some(w(383)))] {
        let mut governor = resting(-20.0, 192, Some(limit));
        governor.give_back(at(5), &over_alert(-20.0), &drive(192));
        assert_eq!(governor.setting, left);
    }
}

#[test]
fn rungs_are_given_back_before_the_limit_from_the_floor_on() {
    let cool = over_alert(-20.0);
    let mut governor = exhausted(-20.0, 192, Some(w(100)));
    for step in 1..9 {
        assert!(!governor.give_back(at(5 * step), &cool, &drive(192)));
        if governor.ladder.is_released() {
            break;
        }
    }
    assert!(governor.ladder.is_released());
    assert_eq!(
        governor.setting,
        Some(FLOOR),
        "not down to the minimum again"
    );
    assert!(!governor.give_back(at(45), &cool, &drive(192)));
    assert!(governor.setting.is_none_or(|limit| limit > FLOOR));
}

#[test]
fn all_is_released_without_a_limit_and_a_rung() {
    assert!(resting(0.0, 100, None).is_released());
    assert!(!resting(0.0, 100, Some(w(300))).is_released());
    let mut governor = exhausted(0.0, 100, Some(w(100)));
    governor.reset(at(9));
    assert!(governor.is_released());
    assert_eq!(governor.moved, at(9));
}
