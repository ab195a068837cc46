//! At the floor: rungs that are taken and left.

use super::*;

#[test]
fn a_card_too_warm_at_its_floor_takes_a_rung_after_ten_seconds() {
    for (level, seconds) in [(-0.1, 10), (3.0, 10)] {
        let mut governor = resting(level, 192, Some(FLOOR));
        let heat = over_alert(level);
        governor.escalate(at(100), &heat, drive(192));
        governor.escalate(at(99 + seconds), &heat, drive(192));
        assert!(governor.ladder.is_released());
        governor.escalate(at(100 + seconds), &heat, drive(192));
        assert!(!governor.ladder.is_released(), "{level}");
    }
}

#[test]
fn a_limit_that_was_at_the_floor_before_us_has_had_its_time() {
    for original in [100, 150, 192] {
        let mut governor = resting(3.0, original, None);
        let low = Drive {
            original: w(original),
            limit: Some(w(original)),
            ..drive(original)
        };
        governor.escalate(at(100), &over_alert(3.0), low);
        assert!(!governor.ladder.is_released(), "{original} W");
    }
}

#[test]
fn a_rung_is_not_taken_over_the_floor_nor_at_the_set_point() {
    for (level, limit) in [(3.0, Some(w(200))), (-0.25, Some(FLOOR)), (3.0, None)] {
        let mut governor = resting(level, 192, limit);
        governor.floored_since = Some(at(0));
        governor.escalate(at(100), &over_alert(level), drive(192));
        assert!(governor.ladder.is_released(), "{level} {limit:?}");
        assert_eq!(governor.floored_since, None, "the wait begins anew");
    }
    let mut governor = resting(-0.17, 192, Some(FLOOR));
    governor.escalate(at(100), &over_alert(-0.17), drive(192));
    assert_eq!(governor.floored_since, Some(at(100)));
}

#[test]
fn between_the_rungs_they_and_not_the_limit_decide() {
    let alone = resting(3.0, 290, Some(w(300)));
    assert_eq!(alone.targets().limit, Some(w(300)));
    assert_eq!(
        exhausted(3.0, 90, Some(w(150))).targets().limit,
        Some(w(150))
    );
    let mut governor = resting(3.0, 192, Some(w(300)));
    let hot = over_alert(3.0);
    governor.ladder.regulate(at(0), &hot, drive(192));
    assert_eq!(governor.targets(), governor.ladder.targets());
    assert!(!governor.is_released() && !governor.is_exhausted());
    governor.setting = None;
    assert!(!governor.is_released(), "the rung still holds");
    let before = governor.ladder.targets();
    governor.regulate(at(30), &hot, drive(192));
    assert_ne!(governor.ladder.targets(), before, "one rung further");
}

#[test]
fn the_last_rung_hands_over_at_the_floor() {
    let mut governor = resting(3.0, 192, Some(FLOOR));
    let hot = over_alert(3.0);
    for second in 1..1000 {
        governor.regulate(at(10 * second), &hot, drive(192));
        if governor.ladder.is_exhausted() {
            break;
        }
    }
    assert!(governor.ladder.is_exhausted());
    assert_eq!(governor.setting, Some(FLOOR));
    assert!(!governor.is_exhausted(), "there is the minimum yet");
    governor.bottom(at(20_000));
    assert!(governor.is_exhausted());
    assert_eq!(governor.targets().limit, Some(w(100)));
}

#[test]
fn a_lock_is_left_when_the_floor_alone_would_do() {
    let mut governor = locked(-2.0);
    governor.leave_rungs(at(49), &over_alert(-2.0));
    assert!(!governor.ladder.is_released(), "not before its dwell");
    governor.leave_rungs(at(50), &over_alert(-2.0));
    assert!(governor.ladder.is_released());
    assert_eq!(
        (governor.steps.trend, governor.steps.raised),
        (1, Some(at(50)))
    );
}

#[test]
fn a_lock_is_kept_while_the_floor_would_not_do_or_it_is_hot() {
    let mut warm = locked(-0.4);
    warm.leave_rungs(at(500), &over_alert(-2.0));
    assert!(!warm.ladder.is_released(), "foreseen at the set point");
    let mut hot = locked(-2.0);
    hot.leave_rungs(at(500), &over_alert(-1.0));
    assert!(!hot.ladder.is_released(), "read at the set point");
    let mut moving = locked(-2.0);
    moving.observe(at(11), &over_alert(0.0), &drive(192));
    moving.leave_rungs(at(500), &over_alert(-2.0));
    assert!(!moving.ladder.is_released(), "not steady");
}

#[test]
fn regulation_leaves_the_rungs_at_the_floor() {
    let mut governor = locked(-2.0);
    governor.setting = Some(w(300));
    governor.regulate(at(50), &over_alert(-2.0), drive(192));
    assert!(governor.ladder.is_released());
    assert_eq!(governor.setting, Some(FLOOR));
}

#[test]
fn from_the_bottom_it_rises_when_the_floor_would_do() {
    let cold = over_alert(-10.0);
    let rises = |level: f64, limit: Option<Watts>, second: u64| {
        let mut governor = exhausted(level, 192, limit);
        governor.ease(at(second), &cold);
        !governor.ladder.is_exhausted()
    };
    assert!(rises(-2.0, Some(FLOOR), 20));
    assert!(rises(-2.0, Some(w(200)), 20));
    assert!(rises(-2.0, None, 20));
    assert!(!rises(-2.0, Some(FLOOR), 19), "not before its dwell");
    assert!(!rises(-2.0, Some(w(191)), 20), "the limit first");
    assert!(!rises(-1.4, Some(FLOOR), 20), "no room");
}

#[test]
fn regulation_at_the_bottom_eases_and_over_it_escalates() {
    let mut bottom = exhausted(-3.0, 192, Some(FLOOR));
    bottom.steps.up_dwell = Duration::from_secs(30);
    bottom.moved = at(0);
    bottom.setting = None;
    bottom.regulate(at(30), &over_alert(-3.0), drive(192));
    assert!(!bottom.ladder.is_exhausted());
    let mut floored = resting(0.0, 192, Some(FLOOR));
    floored.regulate(at(1), &over_alert(0.0), drive(192));
    assert_eq!(floored.floored_since, Some(at(1)));
}

#[test]
fn nothing_colder_is_left_at_the_minimum_on_the_last_rung() {
    assert!(exhausted(0.0, 100, Some(w(100))).is_exhausted());
    assert!(!exhausted(0.0, 100, Some(w(101))).is_exhausted());
    assert!(!exhausted(0.0, 100, None).is_exhausted());
    assert!(!resting(0.0, 100, Some(w(100))).is_exhausted());
}
