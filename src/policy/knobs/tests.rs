use super::*;
use crate::device::error::any_code;
use crate::device::{
    ByClock, ByKnob, ClockDomain, ClockRange, Facts, Knob, Missing, PowerConstraints, Reading,
};
use crate::policy::{Claim, LimitClaim, Settings, Targets};
use crate::units::{Megahertz, Moment, Watts};

const W: fn(u32) -> Watts = Watts::from_watts;

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

fn lock(megahertz: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(200),
        max: Megahertz::new(megahertz),
    }
}

fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: W(400),
            min: W(100),
            max: W(400),
        }),
        gpu_clock_max: Some(Megahertz::new(2000)),
        memory_clocks: [2000, 1000].map(Megahertz::new).to_vec(),
        fans: 2,
        ..Facts::default()
    }
}

fn settings() -> Settings {
    Settings {
        enabled: ByKnob::of(|_| true),
        ..Settings::default()
    }
}

/// A card of 400 W, held at 300 W and 1000 MHz, that obeys.
struct Bench {
    knobs: Knobs,
    reading: Reading,
    claim: Claim,
    targets: Targets,
    writes: ByKnob<Option<Write>>,
    in_turn: bool,
    hungry: bool,
    seconds: f64,
}

impl Bench {
    fn new() -> Self {
        Self {
            knobs: Knobs::new(&settings(), &facts()),
            reading: Reading {
                limit: Ok(W(300)),
                draw: Ok(W(299)),
                gpu_clock: Ok(Megahertz::new(1000)),
                ..Reading::missing(Moment::START, Missing::NotSupported)
            },
            claim: Claim {
                limit: Some(LimitClaim {
                    original: W(400),
                    previous: W(400),
                    next: W(300),
                }),
                locks: ByClock::of(|_| true),
                ..Claim::default()
            },
            targets: Targets {
                limit: Some(W(300)),
                locks: ByClock::of(|_| Some(lock(1000))),
                ..Targets::default()
            },
            writes: ByKnob::default(),
            in_turn: true,
            hungry: false,
            seconds: 0.0,
        }
    }

    /// A tick, `seconds` after the one before; which locks are to be set again.
    fn tick_after(&mut self, seconds: f64) -> ByKnob<bool> {
        self.seconds += seconds;
        let seen = Evidence {
            reading: &self.reading,
            claim: &self.claim,
            writes: &self.writes,
            targets: &self.targets,
            in_turn: self.in_turn,
            hungry: self.hungry,
        };
        let renew = self.knobs.add_evidence(at(self.seconds), &seen);
        self.writes = ByKnob::default();
        renew
    }

    fn tick(&mut self) -> ByKnob<bool> {
        self.tick_after(1.0)
    }

    /// The last tick's write of `knob` went so.
    fn wrote(&mut self, knob: Knob, value: u32, outcome: Outcome) {
        self.writes[knob] = Some(Write {
            value,
            stored: None,
            slows: true,
            varied: false,
            outcome,
        });
    }

    /// A tick after a write that went so.
    fn tick_with(&mut self, knob: Knob, value: u32, outcome: Outcome) {
        self.wrote(knob, value, outcome);
        self.tick();
    }

    fn state(&self, knob: Knob) -> KnobState {
        self.knobs.reports()[knob].state
    }

    fn usable(&self, knob: Knob) -> bool {
        let means = self.knobs.means();
        means.has(knob)
    }
}

/// What a card can answer that takes a knob out of the plan.
const FAILURES: [(Outcome, KnobState); 3] = [
    (Outcome::Refused, KnobState::Refused),
    (Outcome::Denied, KnobState::Refused),
    (Outcome::Ignored, KnobState::Ineffective),
];

#[test]
fn states_are_told_in_the_contracts_words() {
    let names = KnobState::ALL.map(KnobState::name);
    let contract = ["working", "unproven", "refused", "ineffective", "absent"];
    assert_eq!(names, contract);
    let usable = KnobState::ALL.map(KnobState::is_usable);
    assert_eq!(usable, [true, true, false, false, false]);
}

#[test]
fn what_the_card_lacks_or_the_configuration_switches_off_is_absent() {
    let all = Knobs::new(&settings(), &facts());
    assert!(Knob::ALL.map(|knob| all.reports()[knob].state) == [KnobState::Unproven; 4]);
    let none = Knobs::new(&settings(), &Facts::default());
    assert!(Knob::ALL.map(|knob| none.reports()[knob].state) == [KnobState::Absent; 4]);
    let off = Settings {
        enabled: ByKnob::default(),
        ..settings()
    };
    let off = Knobs::new(&off, &facts());
    assert!(Knob::ALL.map(|knob| off.reports()[knob].state) == [KnobState::Absent; 4]);
    assert_eq!(off.means(), Means::default());
    let mut one_clock = facts();
    one_clock.memory_clocks.truncate(1);
    let one_clock = Knobs::new(&settings(), &one_clock);
    let memory = one_clock.reports()[Knob::MemoryClock].state;
    assert_eq!(
        memory,
        KnobState::Absent,
        "a lock of the only clock is none"
    );
}

#[test]
fn what_a_knob_takes_makes_it_working() {
    for knob in Knob::ALL {
        let mut bench = Bench::new();
        bench.tick_with(knob, 1000, Outcome::Taken);
        assert_eq!(bench.state(knob), KnobState::Working);
        assert!(bench.usable(knob));
    }
}

#[test]
fn one_failure_of_any_kind_changes_nothing() {
    for knob in Knob::ALL {
        for (outcome, _) in FAILURES {
            let mut bench = Bench::new();
            bench.tick_with(knob, 1000, Outcome::Taken);
            bench.tick_with(knob, 900, outcome);
            assert!(bench.usable(knob), "{knob:?} {outcome:?}");
            bench.tick_with(knob, 900, Outcome::Taken);
            bench.tick_with(knob, 800, outcome);
            assert!(bench.usable(knob), "one more, after a success");
            assert_eq!(bench.state(knob), KnobState::Working);
        }
    }
}

#[test]
fn two_values_within_a_second_or_more_take_a_knob_out_of_the_plan() {
    for knob in Knob::ALL {
        for (outcome, state) in FAILURES {
            let mut bench = Bench::new();
            bench.tick_with(knob, 1000, outcome);
            assert!(bench.usable(knob));
            bench.tick_with(knob, 940, outcome);
            assert_eq!(bench.state(knob), state, "{knob:?} {outcome:?}");
            assert!(!bench.usable(knob));
        }
    }
}

#[test]
fn one_value_must_fail_three_times_within_two_seconds_or_more() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.tick_with(Knob::PowerLimit, 200_000, Outcome::Refused);
        assert!(bench.usable(Knob::PowerLimit));
    }
    bench.tick_with(Knob::PowerLimit, 200_000, Outcome::Refused);
    assert!(!bench.usable(Knob::PowerLimit));
}

#[test]
fn a_burst_of_refusals_within_a_moment_is_one_sign() {
    let mut bench = Bench::new();
    for value in 0..9 {
        bench.wrote(Knob::GpuClock, 1000 - value, Outcome::Refused);
        bench.tick_after(0.1);
        assert!(bench.usable(Knob::GpuClock), "{value}");
    }
    bench.wrote(Knob::GpuClock, 900, Outcome::Refused);
    bench.tick_after(0.2);
    assert!(!bench.usable(Knob::GpuClock), "a second");
}

#[test]
fn a_slow_poll_waits_for_no_more_failures_than_a_fast_one() {
    let mut bench = Bench::new();
    for value in [1000, 940] {
        bench.wrote(Knob::GpuClock, value, Outcome::Refused);
        bench.tick_after(10.0);
    }
    assert!(!bench.usable(Knob::GpuClock));
}

#[test]
fn a_refused_raise_and_what_is_not_known_take_nothing_from_the_plan() {
    for outcome in [Outcome::Refused, Outcome::Denied, Outcome::Ignored] {
        let mut bench = Bench::new();
        for value in 300..310 {
            bench.wrote(Knob::PowerLimit, value * 1000, outcome);
            if let Some(write) = &mut bench.writes[Knob::PowerLimit] {
                write.slows = false;
            }
            bench.tick();
        }
        assert_eq!(bench.state(Knob::PowerLimit), KnobState::Unproven);
    }
    let mut bench = Bench::new();
    for value in 200..210 {
        bench.tick_with(Knob::PowerLimit, value * 1000, Outcome::Unknown);
    }
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Unproven);
}

#[test]
fn one_knob_that_fails_says_nothing_of_the_others() {
    let mut bench = Bench::new();
    bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Refused);
    bench.tick_with(Knob::PowerLimit, 290_000, Outcome::Refused);
    assert!(!bench.usable(Knob::PowerLimit));
    assert!(bench.usable(Knob::GpuClock) && bench.usable(Knob::MemoryClock));
}

/// A card that has just refused two limits.
fn refused() -> Bench {
    let mut bench = Bench::new();
    bench.claim = Claim::default();
    for value in [300_000, 290_000] {
        bench.tick_with(Knob::PowerLimit, value, Outcome::Refused);
    }
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Refused);
    bench
}

/// Seconds until the knob is tried again.
fn tried_again(bench: &mut Bench) -> u32 {
    (1..1000)
        .find(|_| {
            bench.tick();
            bench.usable(Knob::PowerLimit)
        })
        .expect("tried again")
}

#[test]
fn a_refused_knob_is_tried_again_after_minutes_and_is_unproven_then() {
    let mut bench = refused();
    let after = tried_again(&mut bench);
    assert!(
        (60..=600).contains(&after),
        "{after} s, not every few minutes"
    );
    let state = bench.state(Knob::PowerLimit);
    assert_eq!(state, KnobState::Unproven, "the evidence is too old");
    bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Taken);
    bench.tick();
    bench.tick();
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Working);
}

#[test]
fn a_limit_that_failed_works_again_once_the_draw_keeps_to_it() {
    let mut bench = refused();
    tried_again(&mut bench);
    // It is stored and has no effect: the clock governs on, and the limit is out again.
    bench.claim = Bench::new().claim;
    bench.reading.draw = Ok(W(330));
    bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Taken);
    for _ in 0..9 {
        assert!(bench.knobs.means().power_failed);
        bench.tick();
    }
    bench.tick_after(2.0);
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Ineffective);
    assert!(!bench.usable(Knob::PowerLimit));
    // A draw that follows within seconds, and one that nothing tells.
    for draw in [Ok(W(302)), Err(Missing::NotSupported)] {
        let mut bench = refused();
        tried_again(&mut bench);
        bench.claim = Bench::new().claim;
        bench.reading.draw = draw;
        bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Taken);
        bench.tick();
        bench.tick();
        assert!(!bench.knobs.means().power_failed, "{draw:?}");
        assert_eq!(bench.state(Knob::PowerLimit), KnobState::Working);
    }
}

#[test]
fn a_hot_card_with_nothing_else_left_tries_a_refused_knob_within_seconds() {
    let mut bench = refused();
    bench.hungry = true;
    // Of the ten seconds that a hot card may wait.
    assert!(tried_again(&mut bench) <= 5);
    let state = bench.state(Knob::PowerLimit);
    assert_eq!(state, KnobState::Refused, "tried, but no better yet");
}

#[test]
fn a_try_that_fails_takes_the_knob_out_at_once() {
    let mut bench = refused();
    tried_again(&mut bench);
    bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Refused);
    assert!(!bench.usable(Knob::PowerLimit));
    assert!(tried_again(&mut bench) >= 60, "and so again and again");
}

#[test]
fn a_card_that_was_opened_again_is_tried_at_once() {
    let mut bench = refused();
    bench.knobs.reopened();
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Unproven);
    assert!(bench.usable(Knob::PowerLimit));
}

#[test]
fn other_settings_or_facts_forget_nothing_of_what_was_learned() {
    let mut bench = refused();
    bench.knobs.offer(&settings(), &facts());
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Refused);
}

#[test]
fn a_lack_of_permission_is_told_as_one() {
    let mut bench = Bench::new();
    for value in [300_000, 290_000] {
        bench.tick_with(Knob::PowerLimit, value, Outcome::Denied);
    }
    assert!(bench.knobs.reports()[Knob::PowerLimit].denied);
    assert!(!refused().knobs.reports()[Knob::PowerLimit].denied);
    bench.tick_with(Knob::PowerLimit, 300_000, Outcome::Taken);
    assert!(!bench.knobs.reports()[Knob::PowerLimit].denied);
}

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
fn a_draw_well_over_the_limit_for_long_makes_the_limit_ineffective() {
    let mut bench = Bench::new();
    bench.reading.draw = Ok(W(390));
    for second in 0..10 {
        bench.tick();
        assert!(bench.usable(Knob::PowerLimit), "{second}");
    }
    bench.tick();
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Ineffective);
}

#[test]
fn a_draw_that_overshoots_shortly_or_a_little_does_not() {
    let mut bench = Bench::new();
    for second in 0..120 {
        // A tenth over is what regulation and averages leave.
        let draw = if second % 12 < 6 { 390 } else { 334 };
        bench.reading.draw = Ok(W(draw));
        bench.tick();
        assert!(bench.usable(Knob::PowerLimit), "{second}");
    }
}

#[test]
fn a_draw_over_an_operators_own_limit_says_nothing_of_ours() {
    let mut bench = Bench::new();
    bench.claim.limit = None;
    bench.reading.draw = Ok(W(390));
    for _ in 0..60 {
        bench.tick();
    }
    assert!(bench.usable(Knob::PowerLimit));
}

/// A limit was asked for and another stored.
fn stored(asked: u32, stored: u32) -> Write {
    Write {
        value: W(asked).milliwatts(),
        stored: Some(W(stored)),
        slows: true,
        varied: false,
        outcome: Outcome::Taken,
    }
}

#[test]
fn where_a_card_clamps_is_the_end_of_its_limit() {
    let mut bench = Bench::new();
    bench.writes[Knob::PowerLimit] = Some(stored(100, 250));
    bench.tick();
    assert_eq!(bench.knobs.means().power.map(|it| it.min), Some(W(250)));
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Working);
}

#[test]
fn a_card_that_rounds_up_can_still_be_taken_to_its_minimum() {
    let mut bench = Bench::new();
    for (asked, made) in [(283, 285), (271, 275), (192, 200)] {
        bench.writes[Knob::PowerLimit] = Some(stored(asked, made));
        bench.tick();
        let min = bench.knobs.means().power.map(|it| it.min);
        assert_eq!(min, Some(W(100)), "{asked} W was made {made} W");
    }
}

#[test]
fn a_limit_that_is_rounded_to_what_it_was_says_nothing_and_one_that_stays_far_over_does() {
    let ignored = |asked, made| Write {
        outcome: Outcome::Ignored,
        ..stored(asked, made)
    };
    let mut rounding = Bench::new();
    rounding.writes[Knob::PowerLimit] = Some(stored(281, 290));
    rounding.tick();
    for asked in [288, 284, 282, 281] {
        rounding.writes[Knob::PowerLimit] = Some(ignored(asked, 290));
        rounding.tick();
        assert!(rounding.usable(Knob::PowerLimit), "{asked} W");
    }
    let mut exact = Bench::new();
    for asked in [288, 284] {
        exact.writes[Knob::PowerLimit] = Some(ignored(asked, 290));
        exact.tick();
    }
    assert_eq!(exact.state(Knob::PowerLimit), KnobState::Ineffective);
    for asked in [250, 200] {
        rounding.writes[Knob::PowerLimit] = Some(ignored(asked, 290));
        rounding.tick();
    }
    assert_eq!(rounding.state(Knob::PowerLimit), KnobState::Ineffective);
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

#[test]
fn a_limit_that_was_refused_together_with_another_one_is_out_after_a_second() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.writes[Knob::PowerLimit] = Some(Write {
            outcome: Outcome::Refused,
            varied: true,
            ..stored(250, 300)
        });
        assert!(bench.usable(Knob::PowerLimit));
        bench.tick();
    }
    assert_eq!(bench.state(Knob::PowerLimit), KnobState::Refused);
}
