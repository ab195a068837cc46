//! Readings that stand still while the draw rises: frozen.

use super::*;

#[test]
fn a_reading_that_stands_still_while_the_draw_rises_is_frozen_at_every_pace() {
    for poll in POLLS {
        let mut bench = Bench::core(46.0).polled(poll);
        bench.draws(60.0);
        bench.pass(60.0);
        bench.draws(300.0);
        let took = bench.until_blind();
        // 40 s are what the card may stand that; a slow poll has its last before.
        assert!(took <= 40.0_f64.max(3.0 * poll), "{poll}: {took}");
        let judgement = bench.look();
        assert_eq!(judgement.doubt, Some(Doubt::Frozen));
        assert_eq!(state(&judgement, Sensor::Core), SensorState::Doubted);
        let judgement = bench.pass(600.0);
        assert!(
            is_blind(&judgement),
            "{poll}: it stays so under a steady draw"
        );
    }
}

#[test]
fn a_sensor_that_froze_under_load_is_found_out_when_the_next_load_comes() {
    for poll in POLLS {
        let mut bench = Bench::core(70.0).polled(poll);
        bench.draws(380.0);
        bench.pass(60.0);
        bench.draws(150.0);
        bench.pass(60.0);
        bench.draws(380.0);
        let took = bench.until_blind();
        assert!(took <= 40.0, "{poll}: {took}");
    }
}

#[test]
fn a_sensor_that_freezes_at_idle_just_before_a_load_is_found_out() {
    for poll in [0.1, 1.0] {
        for rest in [0.5, 1.0, 5.0] {
            let mut bench = Bench::core(46.0).polled(poll);
            bench.draws(60.0);
            bench.pass(60.0);
            bench.says(45.0);
            bench.pass(rest);
            bench.draws(400.0);
            let took = bench.until_blind();
            assert!(took <= 40.0, "{poll} {rest}: {took}");
        }
    }
}

#[test]
fn a_doubt_alone_forbids_raises_and_caps_forty_seconds_after_the_move_began() {
    // A quarter of the scale is a doubt at first; more is plain.
    for (rise, lasts, poll) in [
        (100.0, 600.0, 1.0),
        (100.0, 14.0, 1.0),
        (100.0, 14.0, 0.1),
        (300.0, 12.0, 1.0),
    ] {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.draws(90.0);
        bench.pass(60.0);
        bench.draws(90.0 + rise);
        let begun = bench.seconds;
        let mut doubted = None;
        let capped = loop {
            if bench.seconds - begun >= lasts {
                bench.draws(90.0);
            }
            let judgement = bench.look();
            if is_blind(&judgement) {
                break bench.seconds - begun;
            }
            if judgement.doubt == Some(Doubt::Frozen) {
                assert!(judgement.forbids_raises() && !judgement.is_cool());
                assert_eq!(state(&judgement, Sensor::Core), SensorState::Doubted);
                doubted = doubted.or(Some(bench.seconds - begun));
            }
            assert!(bench.seconds - begun < 60.0, "{rise} {lasts} {poll}: never");
        };
        assert!(capped <= 40.0, "{rise} {lasts} {poll}: {capped}");
        assert!(doubted.is_none_or(|at| at >= 18.0), "{doubted:?}");
        assert_eq!(doubted.is_some(), rise < 200.0, "{rise}");
    }
}

#[test]
fn wakes_do_not_keep_a_frozen_sensor_from_being_found_out() {
    let mut bench = Bench::core(46.0);
    bench.draws(60.0);
    bench.pass(60.0);
    bench.draws(300.0);
    let blind = (0..40 * 47).any(|wake| {
        bench.seconds += 1.0 / 47.0;
        is_blind(&bench.look_now(wake % 47 == 0))
    });
    assert!(blind);
}

#[test]
fn a_frozen_sensor_that_moves_is_trusted_again() {
    let mut bench = Bench::core(46.0);
    bench.draws(60.0);
    bench.pass(60.0);
    bench.draws(300.0);
    bench.until_blind();
    let judgements: Vec<_> = (0..15)
        .map(|tick| bench.says(70.0 + f64::from(tick)))
        .collect();
    assert!(is_blind(&judgements[0]));
    assert!(!is_blind(&judgements[14]));
}

#[test]
fn a_sensor_that_was_found_frozen_is_so_until_it_moves() {
    for poll in [1.0, 10.0] {
        for by_draw in [false, true] {
            let mut bench = Bench::core(46.0).polled(poll);
            bench.draws(60.0);
            bench.pass(60.0);
            bench.draws(300.0);
            bench.until_blind();
            if by_draw {
                bench.reading.draw = Err(FAILED);
                bench.pass(5.0);
                bench.draws(300.0);
            } else {
                bench.reading.slowdown_reasons = Ok(SOFTWARE);
                bench.look();
                bench.reading.slowdown_reasons = Ok(SlowdownReasons::default());
            }
            for _ in 0..100 {
                assert!(is_blind(&bench.look()), "{poll} {by_draw}");
            }
            bench.says(47.0);
            assert!(!is_blind(&bench.pass(60.0)), "{poll} {by_draw}: it moved");
        }
    }
}
