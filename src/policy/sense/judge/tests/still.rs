//! Readings that stand still for a good reason.

use super::*;

#[test]
fn a_busy_card_whose_power_meter_shows_single_low_samples_is_believed() {
    // As recorded of one that its fan held at 79 °C for minutes.
    let mut bench = Bench::core(79.0);
    for second in 0..600_u32 {
        bench.draws(if second % 20 > 17 { 137.0 } else { 291.0 });
        // Its reading moves now and then, at a low sample, too.
        bench.reading.core = Ok(c(if second % 200 < 98 { 79.0 } else { 78.0 }));
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

#[test]
fn a_reading_that_stands_still_after_it_jumped_with_the_draw_is_believed() {
    // Means of ten seconds show a move only seconds after it began.
    let levels = [(28.0, 240.0), (90.0, 260.0), (150.0, 290.0), (240.0, 28.0)];
    for (before, after) in levels {
        for (tenths, poll) in (5..280)
            .step_by(9)
            .flat_map(|it| [(it, 0.3), (it, 1.0), (it, 1.7)])
        {
            let lasts = f64::from(tenths) / 10.0;
            let story = format!("{before} W for {lasts} s, then {after} W, every {poll} s");
            let mut bench = Bench::core(50.0).polled(poll);
            bench.draws(after);
            bench.pass(30.0);
            let jump = (before - after) / 30.0;
            for (draw, reading, lasts) in [(before, 50.0 + jump, lasts), (after, 50.0, 90.0)] {
                bench.draws(draw);
                let ends = bench.seconds + lasts;
                bench.says(reading);
                while bench.seconds < ends {
                    assert_eq!(bench.look().doubt, None, "{story}: {}", bench.seconds);
                }
            }
        }
    }
}

#[test]
fn an_idle_card_at_a_constant_temperature_is_believed_with_and_without_a_limit() {
    for power in [facts().power, None] {
        let facts = Facts { power, ..facts() };
        let mut bench = Bench::with(facts, Some(50.0), None, None);
        for second in 0..3600_u32 {
            // 11 W, give or take 0.3.
            bench.draws(11.0 + 0.3 * f64::from(second % 7) / 3.0 - 0.3);
            assert_eq!(bench.look().doubt, None, "{power:?} {second}");
        }
    }
}

#[test]
fn a_busy_card_at_a_constant_temperature_under_a_steady_draw_is_believed() {
    let mut bench = Bench::core(70.0);
    for second in 0..3600_u32 {
        // A tenth of noise.
        bench.draws(285.0 + f64::from(second * 7919 % 31));
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

#[test]
fn a_card_that_follows_its_draw_is_believed() {
    for poll in [0.1, 1.0] {
        let mut bench = Bench::core(60.0).polled(poll);
        for tick in 0..6000_u32 {
            let phase = f64::from(tick) * poll % 60.0;
            let (core, draw) = if phase < 30.0 {
                (60.0 + phase.min(9.0).floor(), 400.0)
            } else {
                (69.0 - (phase - 30.0).min(9.0).floor(), 100.0)
            };
            bench.draws(draw);
            assert_eq!(bench.says(core).doubt, None, "{poll} {tick}");
        }
    }
}

#[test]
fn a_draw_that_falls_at_a_constant_temperature_is_regulation_and_no_lie() {
    let mut bench = Bench::core(77.0);
    for second in 0..1800_u32 {
        // A fan that fails is answered by less power, at the same temperature.
        bench.draws(350.0 - f64::from(second) / 12.0);
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

#[test]
fn a_card_that_holds_itself_still_is_believed() {
    let mut bench = Bench::core(85.0);
    bench.reading.slowdown_reasons = Ok(SOFTWARE);
    for second in 0..240 {
        bench.draws(if second % 60 < 30 { 200.0 } else { 380.0 });
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

/// Twice, a minute and a half apart: the second time excuses what the first one did, too.
#[test]
fn a_card_that_holds_itself_now_and_then_is_believed() {
    let mut bench = Bench::core(85.0);
    bench.draws(380.0);
    for second in 0..240 {
        let holds = [60, 150]
            .iter()
            .any(|from| (*from..from + 5).contains(&second));
        bench.reading.slowdown_reasons = Ok(if holds {
            SOFTWARE
        } else {
            SlowdownReasons::default()
        });
        if second == 60 {
            bench.draws(200.0);
        }
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

/// For a few seconds it did, after a draw that the frozen reading hadn't shown: that excused nothing.
#[test]
fn a_card_that_holds_itself_for_a_moment_excuses_no_move_before_it() {
    let mut bench = Bench::core(74.0);
    bench.draws(60.0);
    for _ in 0..120 {
        bench.look();
    }
    bench.draws(350.0);
    for second in 0..60 {
        bench.reading.slowdown_reasons = Ok(if (4..9).contains(&second) {
            SOFTWARE
        } else {
            SlowdownReasons::default()
        });
        bench.look();
    }
    assert_eq!(bench.look().doubt, Some(Doubt::Frozen));
}

/// A core that froze cold hid a die of 85 °C: that the card slowed itself down excused its standing still.
#[test]
fn a_sensor_that_reads_cool_is_not_what_a_card_holds_itself_at() {
    let mut bench = Bench::core(31.0);
    bench.draws(36.0);
    bench.look();
    bench.reading.slowdown_reasons = Ok(SOFTWARE);
    bench.draws(350.0);
    let frozen = (0..60).any(|_| bench.look().doubt == Some(Doubt::Frozen));
    assert!(frozen);
}

/// The margin covers a memory whose maximum the card doesn't tell: nothing says whether 80 °C is cool.
#[test]
fn a_memory_without_trips_may_stand_still_on_a_card_that_holds_itself() {
    let mut facts = facts();
    facts.thresholds.mem_max = None;
    let mut bench = Bench::with(facts, Some(85.0), Some(80.0), Some(2.0));
    bench.reading.slowdown_reasons = Ok(SOFTWARE);
    for second in 0..240 {
        bench.draws(if second % 60 < 30 { 200.0 } else { 380.0 });
        assert_ne!(bench.look().doubted, Some(Sensor::Memory), "{second}");
    }
}
