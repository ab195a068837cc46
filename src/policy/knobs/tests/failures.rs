//! What takes a knob out of the plan, and what does not.

use super::*;

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
