use super::*;
use crate::policy::{AppMode, LimitClaim};
use crate::units::Megahertz;

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

fn lock(megahertz: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(200),
        max: Megahertz::new(megahertz),
    }
}

fn under_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(degrees);
    Heat {
        to_alert,
        to_critical: to_alert + Celsius::new(7.0),
        to_safe: to_alert - Celsius::new(6.0),
    }
}

/// 400, 350, 300, 250 W, then a clock lock, batch, memory, and the minimum: rungs 0 to 7.
fn ladder() -> Ladder {
    let mut rung = Targets {
        app: AppMode::Gradual,
        ..Targets::default()
    };
    let mut all = vec![rung];
    for watts in [350, 300, 250] {
        rung.limit = Some(w(watts));
        all.push(rung);
    }
    rung.locks[ClockDomain::Gpu] = Some(lock(1500));
    all.push(rung);
    rung.app = AppMode::GradualBatch;
    all.push(rung);
    rung.locks[ClockDomain::Memory] = Some(lock(800));
    all.push(rung);
    rung.limit = Some(w(100));
    all.push(rung);
    Ladder::new(Rungs::with(all))
}

fn on_rung(rung: usize) -> Ladder {
    Ladder { rung, ..ladder() }
}

/// A card whose limits and locks all bite.
const BUSY: Drive = Drive {
    draw: None,
    measured: None,
    capped: false,
    clock: None,
    ceiling: None,
    original: Watts::from_watts(400),
    limit: None,
};

#[test]
fn the_first_rung_is_taken_at_once_the_next_after_ten_seconds() {
    let mut ladder = ladder();
    let hot = under_alert(1.0);
    ladder.regulate(at(0), &hot, BUSY);
    assert_eq!((ladder.rung, ladder.moved()), (1, at(0)));
    for second in 1..10 {
        ladder.regulate(at(second), &hot, BUSY);
        assert_eq!(ladder.rung, 1, "{second}");
    }
    ladder.regulate(at(10), &hot, BUSY);
    assert_eq!(ladder.rung, 2);
}

#[test]
fn a_dwell_ends_with_the_tick_that_is_nearest_to_its_end() {
    for (poll, expected) in [(3, 9), (4, 12), (7, 7), (10, 10)] {
        let mut ladder = ladder();
        let hot = under_alert(1.0);
        ladder.regulate(at(0), &hot, BUSY);
        let mut second = 0;
        while ladder.rung == 1 {
            second += poll;
            ladder.regulate(at(second), &hot, BUSY);
        }
        assert!(second <= expected, "{poll}: {second}");
        assert!(second + poll / 2 + poll % 2 >= 10, "{poll}: {second}");
    }
}

/// On a card whose clock can't be read, only the draw shows whether a lock works.
#[test]
fn past_alert_a_lock_that_changes_no_draw_is_followed_by_no_other() {
    for (draw, clock, rungs) in [
        (200, None, [3, 3]),
        (190, None, [1, 2]),
        (200, Some(2000), [1, 2]),
    ] {
        let mut all = vec![Targets::default()];
        for max in [1500, 1400] {
            let locks = ByClock::only(ClockDomain::Gpu, Some(lock(max)));
            all.push(Targets {
                locks,
                ..Targets::default()
            });
        }
        let mut least = all[2];
        least.limit = Some(w(100));
        all.push(least);
        let mut ladder = Ladder::under_governor(Rungs::with(all));
        let drive = |draw| Drive {
            draw: Some(w(draw)),
            measured: Some(w(draw)),
            clock: clock.map(Megahertz::new),
            ..BUSY
        };
        ladder.regulate(at(0), &under_alert(-1.0), drive(200));
        assert_eq!(ladder.rung, 1);
        for (second, rung) in [5, 10].into_iter().zip(rungs) {
            ladder.regulate(at(second), &under_alert(-1.0), drive(draw));
            assert_eq!(ladder.rung, rung, "{draw} {clock:?} {second}");
        }
    }
}

#[test]
fn no_rung_is_taken_while_the_one_before_still_cools_but_past_alert() {
    for (before, now, rung) in [
        (0.2, 0.5, 1),
        (0.5, 0.5, 2),
        (-2.0, -1.0, 2),
        (-1.0, 0.0, 2),
    ] {
        let mut ladder = ladder();
        ladder.regulate(at(0), &under_alert(before), BUSY);
        ladder.regulate(at(100), &under_alert(now), BUSY);
        assert_eq!(ladder.rung, rung, "{before} {now}");
    }
}

#[test]
fn under_the_set_point_and_on_the_last_rung_nothing_goes_down() {
    let mut cool = ladder();
    cool.regulate(at(0), &under_alert(1.1), BUSY);
    assert!(cool.is_released());
    let mut last = on_rung(7);
    assert!(last.is_exhausted() && !on_rung(6).is_exhausted());
    last.regulate(at(100), &under_alert(0.0), BUSY);
    assert_eq!((last.rung, last.moved()), (7, Moment::START));
}

#[test]
fn a_rung_up_after_half_a_minute_well_under() {
    let mut ladder = on_rung(3);
    ladder.regulate(at(10), &under_alert(5.0), BUSY);
    ladder.regulate(at(39), &under_alert(5.0), BUSY);
    assert_eq!(ladder.rung, 3);
    ladder.regulate(at(40), &under_alert(5.0), BUSY);
    assert_eq!((ladder.rung, ladder.raised), (2, Some(at(40))));
    ladder.regulate(at(69), &under_alert(5.0), BUSY);
    assert_eq!(ladder.rung, 2, "each rung anew");
}

#[test]
fn merely_under_the_set_point_it_takes_ten_times_as_long() {
    let mut ladder = on_rung(3);
    ladder.regulate(at(0), &under_alert(4.9), BUSY);
    ladder.regulate(at(299), &under_alert(4.9), BUSY);
    assert_eq!(ladder.rung, 3);
    ladder.regulate(at(300), &under_alert(4.9), BUSY);
    assert_eq!(ladder.rung, 2);
}

#[test]
fn a_moment_of_warmth_restarts_the_wait() {
    let mut ladder = on_rung(3);
    ladder.regulate(at(0), &under_alert(5.0), BUSY);
    ladder.regulate(at(20), &under_alert(4.0), BUSY);
    ladder.regulate(at(21), &under_alert(5.0), BUSY);
    ladder.regulate(at(50), &under_alert(5.0), BUSY);
    assert_eq!(ladder.rung, 3);
    ladder.regulate(at(51), &under_alert(5.0), BUSY);
    assert_eq!(ladder.rung, 2);
}

#[test]
fn on_no_rung_there_is_none_up() {
    let mut ladder = ladder();
    ladder.regulate(at(0), &under_alert(20.0), BUSY);
    ladder.regulate(at(1000), &under_alert(20.0), BUSY);
    assert_eq!((ladder.rung, ladder.raised), (0, None));
}

#[test]
fn a_rung_up_that_is_soon_taken_back_doubles_the_wait_up_to_ten_minutes() {
    for (hold, back, then) in [(30, 59, 60), (30, 60, 30), (400, 10, 600)] {
        let mut ladder = on_rung(3);
        ladder.up_hold = Duration::from_secs(hold);
        ladder.raised = Some(at(1000));
        ladder.regulate(at(1000 + back), &under_alert(0.0), BUSY);
        assert_eq!(ladder.rung, 4);
        assert_eq!(ladder.up_hold.as_secs(), then, "{hold} {back}");
    }
}

#[test]
fn a_governors_rise_is_one_rung_and_none_from_the_top() {
    let mut ladder = on_rung(3);
    ladder.rise(at(5), &under_alert(5.0));
    assert_eq!((ladder.rung, ladder.moved()), (2, at(5)));
    let mut top = self::ladder();
    top.rise(at(5), &under_alert(5.0));
    assert!(top.is_released());
}

#[test]
fn giving_back_halves_the_rungs_every_five_cool_seconds() {
    let cool = under_alert(10.0);
    let mut ladder = on_rung(7);
    assert!(!ladder.give_back(at(4), &cool));
    assert_eq!(ladder.rung, 7);
    assert!(!ladder.give_back(at(5), &under_alert(1.0)));
    assert_eq!(ladder.rung, 7, "not at the set point");
    let mut rungs = Vec::new();
    for step in 1..=4 {
        let all_back = ladder.give_back(at(5 * step), &cool);
        rungs.push((ladder.rung, all_back));
    }
    assert_eq!(rungs, [(3, false), (1, false), (0, false), (0, true)]);
}

#[test]
fn the_bottom_and_the_reset_forget_what_was() {
    let mut ladder = on_rung(3);
    ladder.regulate(at(1), &under_alert(5.0), BUSY);
    ladder.bottom(at(7));
    assert!(ladder.is_exhausted());
    assert_eq!((ladder.moved(), ladder.well_under_since), (at(7), None));
    (ladder.up_hold, ladder.raised) = (UP_HOLD_MAX, Some(at(7)));
    ladder.heat_at_move = Some(Celsius::new(0.0));
    ladder.under_since = Some(at(7));
    ladder.reset(at(9));
    assert!(ladder.is_released());
    assert_eq!((ladder.moved(), ladder.up_hold), (at(9), UP_HOLD));
    assert_eq!((ladder.raised, ladder.heat_at_move), (None, None));
    assert_eq!(ladder.under_since, None);
}

#[test]
fn a_cap_is_the_highest_rung_that_holds_it_and_never_one_up() {
    for (from, cap, rung) in [
        (0, Some(300), 2),
        (0, Some(299), 3),
        (4, Some(300), 4),
        (0, Some(99), 7),
        (1, None, 1),
    ] {
        let mut ladder = on_rung(from);
        let cap = Targets {
            limit: cap.map(w),
            ..Targets::default()
        };
        ladder.descend_to(at(6), &cap);
        assert_eq!(ladder.rung, rung, "{from} {cap:?}");
        let moved = if cap.limit.is_some() {
            at(6)
        } else {
            Moment::START
        };
        assert_eq!(ladder.moved(), moved);
    }
}

#[test]
fn the_claim_of_a_previous_guard_is_adopted_on_the_highest_rung_that_covers_it() {
    for (limit, gpu_clock, memory_clock, rung) in [
        (Some(300), false, false, 2),
        (Some(301), false, false, 2),
        (Some(299), false, false, 3),
        (Some(300), true, false, 4),
        (None, true, false, 4),
        (None, false, true, 6),
        (Some(90), true, true, 7),
        (None, false, false, 0),
    ] {
        let claim = Claim {
            limit: limit.map(|watts| LimitClaim {
                original: w(400),
                previous: w(400),
                next: w(watts),
            }),
            locks: ByClock::only(ClockDomain::Gpu, gpu_clock)
                .with(ClockDomain::Memory, memory_clock),
            ..Claim::default()
        };
        let mut ladder = ladder();
        ladder.adopt(at(8), &claim);
        assert_eq!((ladder.rung, ladder.moved()), (rung, at(8)), "{claim:?}");
    }
}

#[test]
fn a_lock_that_has_no_rung_is_adopted_by_the_limit_alone() {
    let mut ladder = ladder();
    for rung in &mut ladder.rungs.all {
        rung.locks[ClockDomain::Memory] = None;
    }
    let claim = Claim {
        limit: Some(LimitClaim {
            original: w(400),
            previous: w(400),
            next: w(300),
        }),
        locks: ByClock::only(ClockDomain::Memory, true),
        ..Claim::default()
    };
    ladder.adopt(at(8), &claim);
    assert_eq!(ladder.rung, 2);
}

#[test]
fn rungs_that_change_nothing_are_skipped() {
    let next = |rung: usize, draw: u32, clock: u32| {
        on_rung(rung).next_biting(
            Drive {
                draw: Some(w(draw)),
                measured: Some(w(draw)),
                capped: false,
                ceiling: None,
                clock: Some(Megahertz::new(clock)),
                original: w(400),
                limit: None,
            },
            false,
        )
    };
    // A limit bites under 97 % of the draw: 291 W of 300.
    assert_eq!(next(0, 400, 2000), 1);
    assert_eq!(next(0, 320, 2000), 2);
    assert_eq!(next(0, 300, 2000), 3);
    // A lock bites under the clock; batch and memory always do.
    assert_eq!(next(0, 200, 1501), 4);
    assert_eq!(next(0, 200, 1500), 5);
    assert_eq!(next(3, 200, 1501), 4);
    assert_eq!(next(4, 200, 1501), 5);
    assert_eq!(next(5, 200, 1500), 6);
    assert_eq!(next(6, 50, 1500), 7, "the last one always");
    assert_eq!(ladder().next_biting(BUSY, false), 1, "unknown, so it may");
}

#[test]
fn a_limit_at_exactly_97_percent_of_the_draw_does_not_bite() {
    let drive = |draw: u32| Drive {
        draw: Some(Watts::from_milliwatts(draw)),
        ..BUSY
    };
    // 97 % of 361 W is 350 W in whole watts.
    assert_eq!(ladder().next_biting(drive(361_000), false), 2);
    assert_eq!(ladder().next_biting(drive(362_000), false), 1);
}

#[test]
fn a_reopened_card_with_fewer_rungs_stays_within_them() {
    let mut ladder = on_rung(6);
    let few = self::ladder().rungs.all[..3].to_vec();
    ladder.replace(Rungs::with(few));
    assert!(ladder.is_exhausted());
    assert_eq!(ladder.targets().limit, Some(w(300)));
}
