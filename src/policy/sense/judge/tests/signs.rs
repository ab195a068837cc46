//! Which moves of the draw ask for an answer of the reading: how long they last, the count of energy,
//! the fan.

use super::*;

#[test]
fn a_reading_that_answers_in_time_ends_the_doubt() {
    let mut bench = Bench::core(60.0);
    bench.draws(90.0);
    bench.pass(60.0);
    bench.draws(190.0);
    while bench.look().doubt.is_none() {
        assert!(bench.seconds < 120.0, "never doubted");
    }
    let judgement = bench.says(61.0);
    assert_eq!(judgement.doubt, None);
    assert_eq!(bench.pass(300.0).doubt, None);
}

#[test]
fn a_move_of_less_than_ten_seconds_needs_no_answer() {
    let mut bench = Bench::core(60.0);
    for second in 0..3600_u32 {
        bench.draws(if second % 60 > 52 { 300.0 } else { 150.0 });
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

#[test]
fn a_lasting_load_in_short_bursts_is_a_move_as_well() {
    for (on, off) in [(1_u32, 1_u32), (4, 2), (8, 4)] {
        let mut bench = Bench::core(46.0);
        bench.draws(60.0);
        bench.pass(60.0);
        let from = bench.seconds;
        let mut second = 0;
        while !is_blind(&bench.look()) {
            second += 1;
            bench.draws(if second % (on + off) < on {
                400.0
            } else {
                60.0
            });
            assert!(second < 40, "{on}/{off}: never");
        }
        assert!(bench.seconds - from <= 40.0);
    }
}

#[test]
fn the_cards_own_count_of_energy_knows_better_than_momentary_readings() {
    // The reading has the load's own period: for a minute it meets each pulse, for the next one none.
    for counts in [true, false] {
        let mut bench = Bench::core(70.0);
        let mut millijoules = 0;
        let doubted = (0..1800_u32).any(|second| {
            millijoules += 200_000;
            if counts && second % 5 == 0 {
                bench.reading.slow.energy_millijoules = Some(millijoules);
            }
            let meets = second > 300 && second / 60 % 2 == 0;
            let seen = if second <= 300 { 200.0 } else { 320.0 };
            bench.draws(if meets || second <= 300 { seen } else { 80.0 });
            bench.look().doubt.is_some()
        });
        assert_eq!(doubted, !counts, "{counts}");
    }
}

#[test]
fn a_count_of_energy_that_stands_still_or_runs_wild_hides_no_frozen_sensor() {
    for millijoules in [0_u64, 1, 250, 1_000_000_000] {
        let mut bench = Bench::core(46.0);
        let mut count = 7;
        let mut blind_after = None;
        for second in 0..400_u32 {
            bench.draws(if second < 200 { 60.0 } else { 300.0 });
            count += millijoules;
            if second % 5 == 0 {
                bench.reading.slow.energy_millijoules = Some(count);
            }
            if is_blind(&bench.look()) {
                blind_after = blind_after.or(Some(second));
            }
        }
        let after = blind_after.unwrap_or(u32::MAX);
        assert!((200..=240).contains(&after), "{millijoules}: {after}");
    }
}

#[test]
fn a_fan_that_runs_away_from_a_still_reading_is_a_second_sign() {
    let capped_after = |fan: f64, policy: FanPolicy| {
        let mut bench = Bench::core(60.0);
        let set = |bench: &mut Bench, speed: f64| {
            bench.reading.slow.fans = vec![Fan {
                speed: Some(Ratio::new(speed)),
                policy: Some(policy),
                ..Fan::default()
            }];
        };
        set(&mut bench, 0.4);
        bench.draws(90.0);
        bench.pass(60.0);
        bench.draws(190.0);
        bench.pass(12.0);
        set(&mut bench, fan);
        12.0 + bench.until_blind()
    };
    assert!(capped_after(0.8, FanPolicy::Automatic) <= 25.0);
    // A fan that a program sets follows the program.
    assert!(capped_after(0.8, FanPolicy::Manual) > 30.0);
    assert!(capped_after(0.45, FanPolicy::Automatic) > 30.0);
}

#[test]
fn a_fan_that_holds_its_card_at_a_constant_reading_is_healthy() {
    // Momentary samples, one in twenty far too low; the fan takes what the power changes over minutes.
    let mut bench = Bench::core(79.0);
    for second in 0..3600_u32 {
        let drift = 30.0 * (f64::from(second) / 300.0).sin();
        let dip = second * 7919 % 20 == 0 || second % 97 < 2;
        bench.draws(if dip { 137.0 } else { 291.0 + drift });
        bench.reading.slow.fans = vec![Fan {
            speed: Some(Ratio::new(0.7 + drift / 300.0)),
            ..Fan::default()
        }];
        assert_eq!(bench.look().doubt, None, "{second}");
    }
}

#[test]
fn a_draw_that_cannot_be_read_any_more_freezes_nothing() {
    // A card at 200 of 400 W, fully busy: its share of time says nothing of its watts.
    let mut bench = Bench::core(60.0);
    bench.reading.utilization = Ok(Ratio::new(1.0));
    bench.reading.limit = Ok(Watts::from_watts(400));
    bench.draws(200.0);
    bench.pass(60.0);
    for why in [FAILED, NONE] {
        bench.reading.draw = Err(why);
        for second in 0..120 {
            assert_eq!(bench.look().doubt, None, "{why:?} {second}");
        }
    }
}

#[test]
fn a_draw_that_fails_now_and_then_hides_no_frozen_sensor() {
    let mut bench = Bench::core(46.0);
    bench.draws(60.0);
    bench.pass(60.0);
    let blind = (0..60).any(|second| {
        bench.draws(300.0);
        if second % 3 == 0 {
            bench.reading.draw = Err(FAILED);
        }
        is_blind(&bench.look())
    });
    assert!(blind);
}
