//! Clocks that go against their lock, and a lock that was refused.

use super::*;
use crate::device::ClockDomain;
use crate::device::error::any_code;

#[test]
fn a_clock_over_its_lock_for_two_seconds_has_the_lock_set_again() {
    for (poll, ticks) in [(0.1, 21), (1.0, 3), (10.0, 2)] {
        let mut bench = Bench::new();
        bench.reading.gpu_clock = Ok(Megahertz::new(1980));
        let first = (1..50).find(|_| bench.tick_after(poll)[Knob::GpuClock]);
        let first: i32 = first.expect("renewed");
        assert!(first.abs_diff(ticks) <= 1, "{poll}: {first}");
        assert!(bench.usable(Knob::GpuClock), "set again, not given up");
    }
}

#[test]
fn a_clock_that_peaks_over_its_lock_once_or_by_a_step_is_under_it() {
    let mut bench = Bench::new();
    for second in 0..60 {
        // A step or two up is how cards round.
        let clock = if second % 3 == 0 { 1980 } else { 1030 };
        bench.reading.gpu_clock = Ok(Megahertz::new(clock));
        assert!(!bench.tick()[Knob::GpuClock], "{second}");
    }
}

#[test]
fn wakes_are_no_samples_of_a_clock() {
    let mut bench = Bench::new();
    bench.reading.gpu_clock = Ok(Megahertz::new(1980));
    bench.tick();
    bench.in_turn = false;
    for wake in 0..1000 {
        assert!(!bench.tick_after(0.01)[Knob::GpuClock], "{wake}");
    }
}

#[test]
fn a_lock_without_effect_leaves_the_plan_and_one_that_was_reset_does_not() {
    let mut bench = Bench::new();
    bench.tick_with(Knob::GpuClock, 1000, Outcome::Taken);
    bench.reading.gpu_clock = Ok(Megahertz::new(1980));
    let mut renewed = 0;
    for _ in 0..20 {
        if bench.tick()[Knob::GpuClock] {
            renewed += 1;
            bench.wrote(Knob::GpuClock, 1000, Outcome::Taken);
        }
    }
    assert_eq!(renewed, 1, "once, in vain");
    assert_eq!(bench.state(Knob::GpuClock), KnobState::Ineffective);

    let mut bench = Bench::new();
    for round in 0..5 {
        bench.reading.gpu_clock = Ok(Megahertz::new(1980));
        let renewed = (0..10).any(|_| bench.tick()[Knob::GpuClock]);
        assert!(renewed, "somebody reset it for the {round}. time");
        bench.tick_with(Knob::GpuClock, 1000, Outcome::Taken);
        bench.reading.gpu_clock = Ok(Megahertz::new(1000));
        bench.tick();
        assert!(bench.usable(Knob::GpuClock));
    }
}

#[test]
fn a_memory_clock_read_every_five_seconds_has_time_to_show_its_lock() {
    let mut bench = Bench::new();
    bench.reading.slow.memory_clock = Some(Megahertz::new(2000));
    for second in 0..11 {
        assert!(!bench.tick()[Knob::MemoryClock], "{second}");
    }
    assert!((0..4).any(|_| bench.tick()[Knob::MemoryClock]));
}

#[test]
fn a_clock_that_is_not_ours_or_cannot_be_read_goes_against_nothing() {
    let mut free = Bench::new();
    free.claim = Claim::default();
    free.reading.gpu_clock = Ok(Megahertz::new(1980));
    let mut unread = Bench::new();
    unread.reading.gpu_clock = Err(Missing::Failed(any_code(999)));
    for bench in [&mut free, &mut unread] {
        for _ in 0..60 {
            assert!(!bench.tick()[Knob::GpuClock]);
        }
        assert!(bench.usable(Knob::GpuClock));
    }
}

#[test]
fn a_lock_that_was_refused_is_followed_by_another_one() {
    let mut bench = Bench::new();
    bench.tick_with(Knob::GpuClock, 1000, Outcome::Refused);
    let mut targets = Targets {
        limit: Some(W(250)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000))),
        ..Targets::default()
    };
    bench.knobs.vary(&mut targets);
    assert_eq!(targets.limit, Some(W(250)), "another knob's");
    assert!(
        targets.locks[ClockDomain::Gpu].is_some_and(|it| it.max < Megahertz::new(1000)),
        "slower, so that it holds as much"
    );
}

#[test]
fn nothing_is_varied_that_was_not_refused() {
    let untouched = Targets {
        limit: Some(W(250)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000))),
        ..Targets::default()
    };
    let mut targets = untouched;
    Bench::new().knobs.vary(&mut targets);
    assert_eq!(targets, untouched);
}
