//! Readings that fall faster than metal can.

use super::*;

#[test]
fn a_fall_that_nothing_explains_is_doubted_until_the_sensor_is_back() {
    let mut bench = Bench::core(80.0);
    bench.look();
    bench.says(30.0);
    let judgement = bench.pass(600.0);
    assert!(is_blind(&judgement), "however long, at 300 W");
    assert_eq!(judgement.doubt, Some(Doubt::Fallen));
    assert_eq!(judgement.doubted, Some(Sensor::Core));
    bench.reading.core = Ok(c(79.0));
    assert_eq!(heat(&bench.pass(11.0)).to_alert, c(-1.0));
}

#[test]
fn one_odd_low_reading_is_a_blink() {
    let mut bench = Bench::core(80.0);
    bench.look();
    assert_eq!(bench.says(30.0).view, View::Blink);
    assert!(heat(&bench.says(80.0)).is_hot());
}

#[test]
fn a_fall_of_just_what_metal_can_do_is_believed() {
    let mut bench = Bench::core(80.0);
    bench.look();
    // Recorded dies fall by up to 17 °C in a second.
    assert!(matches!(bench.says(63.0).view, View::Clear(_)));
    assert!(matches!(bench.says(43.0).view, View::Clear(_)));
    assert_eq!(bench.says(22.9).view, View::Blink);
    assert_eq!(bench.pass(3.0).doubt, Some(Doubt::Fallen));
}

#[test]
fn a_fall_at_the_end_of_a_load_is_believed_at_every_pace() {
    // Dies lose up to 20 °C within a second of it.
    for poll in POLLS {
        let mut bench = Bench::core(75.0).polled(poll);
        bench.draws(390.0);
        bench.pass(60.0);
        bench.draws(70.0);
        assert_eq!(bench.says(57.0).doubt, None, "{poll}");
        for core in [55.0, 54.0, 53.0] {
            assert_eq!(bench.says(core).doubt, None, "{poll}");
        }
    }
}

#[test]
fn a_sensor_that_the_driver_reads_every_ten_seconds_may_fall_late() {
    let mut bench = Bench::core(75.0);
    bench.draws(390.0);
    bench.pass(60.0);
    bench.draws(70.0);
    for _ in 0..9 {
        assert_eq!(bench.look().doubt, None);
    }
    assert_eq!(bench.says(48.0).doubt, None);
}

#[test]
fn a_fallen_sensor_of_a_card_that_rests_is_believed_after_a_while() {
    let mut bench = Bench::core(80.0);
    bench.look();
    bench.says(40.0);
    assert!(is_blind(&bench.pass(30.0)));
    bench.draws(60.0);
    bench.says(38.0);
    bench.pass(15.0);
    bench.says(36.0);
    let judgement = bench.pass(120.0);
    assert!(heat(&judgement).is_safe(), "two minutes at rest");
}

#[test]
fn a_frozen_sensor_that_is_mended_at_idle_is_believed_after_a_while() {
    let mut bench = Bench::core(70.0);
    bench.draws(60.0);
    bench.pass(60.0);
    bench.draws(300.0);
    bench.until_blind();
    bench.draws(40.0);
    bench.pass(300.0);
    bench.reading.core = Ok(c(35.0));
    assert!(heat(&bench.pass(120.0)).is_safe());
}
