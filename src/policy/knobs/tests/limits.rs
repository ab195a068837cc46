//! Draws over the limit, and limits that the card rounds or clamps.

use super::*;

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
