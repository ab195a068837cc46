//! Doubts of a guard before this one.

use super::*;

#[test]
fn an_inherited_doubt_must_move_first() {
    let mut bench = Bench::core(46.0);
    bench.judge.inherit(&[(Sensor::Core, Doubt::Frozen)]);
    let judgement = bench.pass(600.0);
    assert!(is_blind(&judgement));
    assert_eq!(judgement.doubt, Some(Doubt::Inherited));
    assert_eq!(state(&judgement, Sensor::Core), SensorState::Doubted);
    assert!(!judgement.is_cool(), "on no way out");
    bench.reading.core = Ok(c(48.0));
    assert!(!is_blind(&bench.pass(11.0)));
}

#[test]
fn an_inherited_failure_is_over_with_nine_good_seconds() {
    let mut bench = Bench::core(46.0);
    bench.judge.inherit(&[(Sensor::Core, Doubt::Missing)]);
    assert!(is_blind(&bench.pass(5.0)));
    assert!(!is_blind(&bench.pass(6.0)));
}

#[test]
fn an_inherited_doubt_of_a_sensor_that_says_not_supported_is_no_absence() {
    let mut bench = Bench::new(None, None, None);
    bench.judge.inherit(&[(Sensor::Core, Doubt::Missing)]);
    assert!(is_blind(&bench.pass(5.0)));
}

#[test]
fn the_next_guard_inherits_doubts() {
    let mut bench = Bench::core(46.0);
    bench.draws(60.0);
    bench.pass(60.0);
    bench.draws(300.0);
    bench.until_blind();
    let doubted: Vec<_> = bench
        .judge
        .doubted()
        .iter()
        .filter_map(|(sensor, doubt)| Some((sensor, (*doubt)?)))
        .collect();
    assert_eq!(doubted, [(Sensor::Core, Doubt::Frozen)]);
    let mut next = Bench::core(46.0);
    next.judge.inherit(&doubted);
    assert!(is_blind(&next.pass(60.0)));
}
