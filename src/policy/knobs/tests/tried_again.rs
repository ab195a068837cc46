//! A knob that failed is tried again.

use super::*;

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
