use super::super::limit::LimitDial;
use super::*;
use crate::device::{ByClock, ClockDomain, ClockRange, Facts, PowerConstraints};
use crate::policy::knobs::Means;
use crate::policy::{LimitClaim, Settings};
use crate::units::number::near;
use crate::units::{Celsius, Megahertz, Watts};

const fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

const CONSTRAINTS: PowerConstraints = PowerConstraints {
    default: w(400),
    min: w(100),
    max: w(500),
};
const FLOOR: Watts = w(192);
/// What a share of the power moves within ten seconds and within thirty, by the picture.
const WITHIN_10: f64 = 17.6 * 0.864_664_716_763_387 + 37.4 * 0.166_247_081_812_303;
const WITHIN_30: f64 = 17.6 * 0.997_521_247_823_334 + 37.4 * 0.420_432_177_389_614;

const fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

/// So many degrees over alert (negative: under it).
fn over_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(-degrees);
    Heat {
        to_alert,
        to_critical: to_alert + Celsius::new(7.0),
        to_safe: to_alert - Celsius::new(6.0),
    }
}

fn drive(draw: u32) -> Drive {
    Drive {
        draw: Some(w(draw)),
        measured: Some(w(draw)),
        capped: false,
        clock: None,
        ceiling: None,
        original: w(400),
        limit: None,
    }
}

/// Nothing is known of the draw.
fn unread() -> Drive {
    Drive {
        draw: None,
        measured: None,
        ..drive(0)
    }
}

fn limited(limit: Watts) -> Targets {
    Targets {
        limit: Some(limit),
        ..Targets::default()
    }
}

fn under_floor(facts: &Facts) -> Rungs {
    let settings = Settings::default();
    Rungs::under_floor(&settings, facts, &Means::all(&settings, facts))
}

type Governor = super::Governor<LimitDial>;

fn fresh() -> Governor {
    let facts = Facts {
        power: Some(CONSTRAINTS),
        gpu_clock_min: Some(Megahertz::new(200)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    };
    let rungs = under_floor(&facts);
    Governor::new(LimitDial::new(CONSTRAINTS, FLOOR), rungs)
}

/// At rest at `level`, drawing `draw`, at `limit` since second 0.
fn resting(level: f64, draw: u32, limit: Option<Watts>) -> Governor {
    let mut governor = fresh();
    governor.observe(at(0), &over_alert(level), &drive(draw));
    governor.swing = CelsiusDelta::ZERO;
    governor.average = SET_POINT;
    governor.setting = limit;
    governor
}

/// The same with all rungs taken.
fn exhausted(level: f64, draw: u32, limit: Option<Watts>) -> Governor {
    let mut governor = resting(level, draw, limit);
    governor.ladder.bottom(at(0));
    governor
}

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
fn a_limit_is_within_floor_and_original_and_set_once() {
    let mut governor = resting(-0.5, 300, Some(w(300)));
    for (share, limit) in [
        (0.7, Some(w(280))),
        (0.1, Some(FLOOR)),
        (-1.0, Some(FLOOR)),
        (0.87, Some(w(348))),
        (0.875, None),
        (3.0, None),
    ] {
        governor.set(at(7), Ratio::new(share), w(400), w(350));
        assert_eq!(governor.setting, limit, "{share}");
    }
    governor.set(at(8), Ratio::new(0.7), w(400), w(350));
    governor.set(at(9), Ratio::new(0.7), w(280), w(350));
    assert_eq!(governor.moved, at(8), "the same limit is no move");
}

#[test]
fn a_limit_that_is_under_the_floor_already_is_not_raised_to_it() {
    let mut governor = resting(0.0, 140, None);
    for share in [0.1, 0.3, 0.5] {
        governor.set(at(7), Ratio::new(share), w(150), w(150));
        assert!(
            governor.setting.is_none_or(|limit| limit <= w(150)),
            "{share}"
        );
    }
}

#[test]
fn with_all_rungs_taken_the_least_is_the_devices_minimum() {
    assert_eq!(resting(0.0, 300, None).least(), FLOOR);
    assert_eq!(exhausted(0.0, 300, None).least(), w(100));
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

/// On the first rung with a lock, at rest at `level`.
fn locked(level: f64) -> Governor {
    let mut governor = resting(level, 192, Some(FLOOR));
    governor
        .ladder
        .regulate(at(0), &over_alert(3.0), drive(192));
    governor
        .ladder
        .regulate(at(10), &over_alert(3.0), drive(192));
    assert!(governor.ladder.targets().locks[ClockDomain::Gpu].is_some());
    governor.steps.up_dwell = Duration::from_secs(40);
    governor
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
fn descending_never_goes_up_and_a_limit_held_anyway_is_no_move() {
    let mut governor = resting(0.0, 192, Some(w(300)));
    governor.descend_to(at(1), &limited(w(350)));
    assert_eq!((governor.setting, governor.moved), (Some(w(300)), at(0)));
    governor.descend_to(at(2), &limited(w(250)));
    assert_eq!((governor.setting, governor.moved), (Some(w(250)), at(2)));
    assert!(governor.ladder.is_released(), "a cap takes no rung");
    let mut rung = locked(0.0);
    rung.descend_to(at(20), &limited(w(100)));
    assert!(rung.ladder.is_exhausted(), "but a rung goes along");
}

#[test]
fn a_dead_guards_limit_is_gone_on_from_with_its_rungs_if_it_had_taken_any() {
    let limit = |next: u32| LimitClaim {
        original: w(400),
        previous: w(400),
        next: w(next),
    };
    for (next, gpu_clock, memory_clock, released, held) in [
        (300, false, false, true, 300),
        (192, false, false, true, 192),
        (191, false, false, false, 100),
        (300, true, false, false, 300),
        (300, false, true, false, 300),
    ] {
        let mut governor = fresh();
        let claim = Claim {
            limit: Some(limit(next)),
            locks: ByClock::only(ClockDomain::Gpu, gpu_clock)
                .with(ClockDomain::Memory, memory_clock),
            ..Claim::default()
        };
        governor.adopt(at(3), &claim, &Locks::default());
        assert_eq!(governor.ladder.is_released(), released, "{claim:?}");
        let least = if governor.ladder.is_exhausted() {
            next
        } else {
            next.max(192)
        };
        assert_eq!(governor.setting, Some(w(least.max(held.min(next)))));
        assert_eq!(governor.moved, at(3));
    }
}

#[test]
fn nothing_colder_is_left_at_the_minimum_on_the_last_rung() {
    assert!(exhausted(0.0, 100, Some(w(100))).is_exhausted());
    assert!(!exhausted(0.0, 100, Some(w(101))).is_exhausted());
    assert!(!exhausted(0.0, 100, None).is_exhausted());
    assert!(!resting(0.0, 100, Some(w(100))).is_exhausted());
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

#[test]
fn other_limits_of_the_card_are_taken_over_and_what_is_held_stays() {
    let mut governor = resting(0.0, 200, Some(w(200)));
    let other = PowerConstraints {
        default: w(300),
        min: w(150),
        max: w(300),
    };
    let facts = Facts {
        power: Some(other),
        gpu_clock_max: Some(Megahertz::new(1000)),
        ..Facts::default()
    };
    let rungs = under_floor(&facts);
    governor.replace(&Governor::new(LimitDial::new(other, w(160)), rungs));
    assert_eq!(governor.setting, Some(w(200)));
    assert_eq!(governor.least(), w(160));
    assert!(near(governor.dial.share(w(150)), 0.5));
    governor.bottom(at(1));
    assert_eq!(governor.setting, Some(w(150)));
    let lock = governor.targets().locks[ClockDomain::Gpu];
    let half = ClockRange {
        min: Megahertz::new(0),
        max: Megahertz::new(500),
    };
    assert_eq!(lock, Some(half));
}

#[test]
fn a_move_restarts_the_average_for_the_trim() {
    let mut governor = resting(-3.0, 300, Some(w(300)));
    (governor.average, governor.floored_since) = (CelsiusDelta::new(-3.0), Some(at(0)));
    governor.move_to(at(5), Some(w(310)));
    assert!(near(governor.average, -0.5));
    assert_eq!((governor.moved, governor.floored_since), (at(5), None));
}

#[test]
fn a_card_that_tells_no_default_limit_divides_by_no_zero() {
    let nothing = PowerConstraints {
        default: w(0),
        min: w(0),
        max: w(0),
    };
    let governor = Governor::new(
        LimitDial::new(nothing, w(0)),
        fresh().ladder.rungs().clone(),
    );
    assert!(near(governor.dial.share(w(100)), 100.0));
}
