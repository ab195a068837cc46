//! Memory, margin, and what stands in for them.

use super::*;

#[test]
fn memory_that_fails_makes_blind_and_a_hot_core_still_counts() {
    let mut bench = Bench::new(Some(60.0), Some(70.0), None);
    bench.look();
    bench.reading.memory = Err(FAILED);
    assert_eq!(bench.look().view, View::Blink, "not ignored");
    bench.until_blind();
    let judgement = bench.look();
    assert_eq!(judgement.doubted, Some(Sensor::Memory));
    assert_eq!(state(&judgement, Sensor::Core), SensorState::Working);
    for (core, critical) in [(79.0, false), (85.0, true)] {
        let View::Blind(Some(heat)) = bench.says(core).view else {
            panic!("blind for the memory's sake");
        };
        assert!(heat.is_hot() && heat.is_critical() == critical, "{core}");
    }
}

#[test]
fn a_core_at_critical_is_seen_in_the_very_blink_of_the_memory() {
    let mut bench = Bench::new(Some(60.0), Some(70.0), None);
    bench.look();
    bench.reading.memory = Err(FAILED);
    assert!(heat(&bench.says(85.0)).is_critical());
}

#[test]
fn the_hotter_of_core_and_memory_counts() {
    let mut bench = Bench::new(Some(60.0), Some(89.0), None);
    let seen = heat(&bench.look());
    assert_eq!(seen.to_alert, c(-1.0));
    assert!(seen.is_hot() && !seen.is_critical());
}

/// A card that tells nothing but its margin and its core, as an H200.
fn by_margin(core: f64, margin: f64) -> Bench {
    let facts = Facts {
        thresholds: Thresholds::default(),
        ..facts()
    };
    Bench::with(facts, Some(core), None, Some(margin))
}

#[test]
fn a_margin_counts_and_not_the_core() {
    let mut bench = by_margin(95.0, 20.0);
    assert_eq!(heat(&bench.look()).to_critical, c(20.0));
}

#[test]
fn a_margin_that_fails_is_stood_in_for_by_the_core() {
    // By this margin, the card is critical at 82 °C: sooner than by the fallback of 85.
    let mut bench = by_margin(62.0, 20.0);
    bench.look();
    bench.reading.margin = Err(FAILED);
    assert_eq!(bench.look().view, View::Blink, "one failure is noise");
    let judgement = bench.pass(5.0);
    assert_eq!(heat(&judgement).to_critical, c(20.0));
    assert_eq!(judgement.doubted, Some(Sensor::Margin), "and it is said");
    assert_eq!(state(&judgement, Sensor::Margin), SensorState::Failing);
    assert!(heat(&bench.says(82.0)).is_critical());
}

#[test]
fn a_margin_that_never_answered_but_is_there_is_stood_in_for_by_the_core() {
    let mut bench = by_margin(62.0, 20.0);
    bench.reading.margin = Err(FAILED);
    let judgement = bench.pass(5.0);
    assert_eq!(heat(&judgement).to_critical, c(23.0), "85 °C");
    assert_eq!(state(&judgement, Sensor::Margin), SensorState::Failing);
}

#[test]
fn without_margin_and_core_the_card_is_blind() {
    let mut bench = by_margin(62.0, 20.0);
    bench.look();
    bench.reading.margin = Err(FAILED);
    bench.reading.core = Err(FAILED);
    bench.until_blind();
    let mut alone = Bench::new(None, None, Some(20.0));
    alone.look();
    alone.reading.margin = Err(FAILED);
    alone.until_blind();
}

#[test]
fn memory_that_a_margin_covered_is_judged_by_itself_once_the_margin_is_gone() {
    let facts = Facts {
        thresholds: Thresholds::default(),
        ..facts()
    };
    let mut bench = Bench::with(facts, Some(60.0), Some(86.0), Some(20.0));
    assert_eq!(heat(&bench.look()).to_critical, c(20.0), "covered");
    bench.reading.margin = Err(FAILED);
    assert!(
        heat(&bench.pass(5.0)).is_critical(),
        "85 °C, the lowest known"
    );
}

#[test]
fn configured_numbers_leave_the_margins_and_the_memorys_protection() {
    let by = TripOverrides {
        alert: Some(c(78.0)),
        critical: Some(c(85.0)),
        safe: Some(c(72.0)),
        ..TripOverrides::default()
    };
    let mut bench = by_margin(60.0, -1.0);
    bench.judge = Judge::new(by, &bench.facts);
    assert!(heat(&bench.look()).is_critical(), "by its margin");
    let mut bench = Bench::new(Some(60.0), Some(95.0), Some(20.0));
    bench.judge = Judge::new(by, &bench.facts);
    assert!(heat(&bench.look()).is_critical(), "by its memory");
    assert!(heat(&bench.says(60.0)).is_critical());
}

#[test]
fn a_margin_that_is_missing_hides_no_doubt_of_the_core_that_stands_in_for_it() {
    let mut bench = by_margin(60.0, 20.0);
    bench.draws(90.0);
    bench.pass(20.0);
    bench.reading.margin = Err(FAILED);
    bench.pass(60.0);
    bench.draws(190.0);
    let mut doubted = false;
    loop {
        let judgement = bench.look();
        if is_blind(&judgement) {
            break;
        }
        if state(&judgement, Sensor::Core) == SensorState::Doubted {
            doubted = true;
            assert!(judgement.forbids_raises() && !judgement.is_cool());
        }
        assert!(bench.seconds < 300.0, "never");
    }
    assert!(doubted);
}
