//! The limit that is set: its bounds, and what it goes on from.

use super::*;
use crate::device::{ByClock, ClockRange};
use crate::policy::LimitClaim;
use crate::policy::claim::Claim;
use crate::policy::regulate::dial::Locks;

fn limited(limit: Watts) -> Targets {
    Targets {
        limit: Some(limit),
        ..Targets::default()
    }
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
