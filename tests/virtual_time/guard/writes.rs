//! Writes that the driver refuses or ignores, and locks that are not loosened unseen.

use super::*;

#[test]
fn a_card_that_denies_its_limit_is_still_held_by_its_clock() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.script.lock().unwrap().no_limits = true;
    for max in [1000, 1000, 1000, 700, 500] {
        bench.apply(&Targets {
            locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
            ..limit(300)
        });
        assert_eq!(bench.rack.card(0).gpu_clock, Some(range(max)));
    }
    assert_eq!(bench.actuation.permission(), Permission::Granted);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
}

#[test]
fn a_lock_that_a_deaf_card_took_is_set_once_it_hears_again() {
    let mut bench = Bench::new(|_| Journal::none());
    let held = Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(700))),
        ..limit(300)
    };
    bench.script.lock().unwrap().deaf = true;
    bench.apply(&held);
    bench.apply(&held);
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    bench.script.lock().unwrap().deaf = false;
    bench.apply(&held);
    assert_eq!(bench.rack.card(0).limit, W(300));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    let taken = bench.counters.clone();
    bench.apply(&held);
    assert_eq!(bench.counters.actions, taken.actions, "and not again");
}

#[test]
fn a_limit_out_of_range_bars_no_other() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.script.lock().unwrap().refuse_limit = Some((W(300), ActuatorError::OutOfRange));
    bench.apply(&limit(300));
    bench.apply(&limit(250));
    assert_eq!(bench.rack.card(0).limit, W(250));
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).limit, W(400), "given back, too");
}

#[test]
fn an_operators_range_that_the_card_refuses_does_not_keep_our_lock() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.actuation.set_restore_clock(Some(range(9999)));
    bench.script.lock().unwrap().refuse_lock = Some((range(9999), ActuatorError::OutOfRange));
    bench.apply(&Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(700))),
        ..Targets::default()
    });
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    assert!(bench.actuation.claim().is_empty());
}

#[test]
fn a_lock_that_could_not_be_loosened_in_time_is_not_when_hot() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.script.lock().unwrap().refuse_lock = Some((range(1000), ActuatorError::NoPermission));
    bench.apply(&lock(1000));
    bench.script.lock().unwrap().refuse_lock = None;
    bench.actuation.set_may_loosen(false);
    bench.seconds += 120;
    bench.apply(&lock(1000));
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
}

#[test]
fn a_lock_is_not_loosened_unseen_after_the_card_was_opened_anew() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    let identity = bench.gpu.identity().clone();
    bench.actuation.reopened(&identity);
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    // It was gone after all: set again as it was, not as loosely as is wanted.
    bench.rack.card(0).gpu_clock = None;
    bench.actuation.reopened(&identity);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(1000)));
}

#[test]
fn a_lock_that_a_counter_says_is_gone_is_not_set_more_loosely_unseen() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.actuation.forget();
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(1000)), "a new one");
}

#[test]
fn a_lock_whose_reset_failed_is_not_loosened_unseen() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.script.lock().unwrap().refuse_reset = true;
    bench.apply(&Targets::default());
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
}
