//! The card's own slowdown.

use super::*;

#[test]
fn the_hardwares_slowdown_is_believed_over_a_fine_sensor() {
    let mut bench = Bench::core(60.0);
    bench.reading.slowdown_reasons = Ok(HARDWARE);
    let judgement = bench.look();
    assert!(heat(&judgement).is_critical() && heat(&judgement).is_hot());
    assert_eq!(judgement.doubt, Some(Doubt::Contradicted));
    assert!(!judgement.is_cool(), "nothing is given back on it");
}

#[test]
fn the_hardwares_slowdown_is_believed_where_no_sensor_can_be_read() {
    for first in [Ok(c(60.0)), Err(FAILED)] {
        let mut bench = Bench::core(60.0);
        bench.reading.core = first;
        bench.look();
        bench.reading.core = Err(FAILED);
        bench.reading.slowdown_reasons = Ok(HARDWARE);
        let blink = heat(&bench.look());
        assert!(blink.is_critical(), "in a blink");
        bench.until_blind();
        let View::Blind(Some(heat)) = bench.look().view else {
            panic!("blind, and critical");
        };
        assert!(heat.is_critical());
    }
}

/// A card of 400 W whose own target is 70 °C, slowed down by its driver for so long at `core`.
fn slowed_for(seconds: u32, core: f64) -> Judgement {
    let mut facts = facts();
    facts.thresholds.acoustic_current = Some(c(70.0));
    let mut bench = Bench::with(facts, Some(core), None, None);
    bench.reading.slowdown_reasons = Ok(SOFTWARE);
    bench.look();
    bench.pass(f64::from(seconds))
}

#[test]
fn the_drivers_slowdown_is_at_alert_once_it_lasts() {
    assert_eq!(slowed_for(4, 60.0).doubt, None);
    let judgement = slowed_for(5, 60.0);
    assert_eq!(judgement.doubt, Some(Doubt::Contradicted));
    assert!(heat(&judgement).is_hot() && !heat(&judgement).is_critical());
}

#[test]
fn a_card_within_a_degree_of_its_own_target_does_its_job() {
    for (core, doubt) in [
        (71.0, None),
        (69.0, None),
        (68.9, Some(Doubt::Contradicted)),
    ] {
        assert_eq!(slowed_for(60, core).doubt, doubt, "{core}");
    }
}

#[test]
fn a_slowdown_that_is_explained_contradicts_nothing() {
    let mut at_alert = Bench::core(78.0);
    at_alert.reading.slowdown_reasons = Ok(SOFTWARE);
    assert_eq!(at_alert.pass(60.0).doubt, None);
    let mut near_critical = Bench::core(82.0);
    near_critical.reading.slowdown_reasons = Ok(HARDWARE);
    let judgement = near_critical.look();
    assert_eq!(judgement.doubt, None);
    assert!(!heat(&judgement).is_critical());
}

#[test]
fn after_its_end_a_slowdown_starts_from_the_beginning() {
    let mut bench = Bench::core(60.0);
    for _ in 0..20 {
        bench.reading.slowdown_reasons = Ok(SOFTWARE);
        bench.pass(4.0);
        bench.reading.slowdown_reasons = Ok(SlowdownReasons::default());
        assert_eq!(bench.look().doubt, None);
    }
}
