use super::*;
use crate::device::Missing;
use crate::device::error::any_code;
use crate::device::{PowerConstraints, SlowdownReason, SlowdownReasons, Thresholds};
use crate::policy::sense::trips::{Heat, Trips};

const NONE: Missing = Missing::NotSupported;
const SOFTWARE: SlowdownReasons = SlowdownReasons::NONE.with(SlowdownReason::SoftwareThermal);
const HARDWARE: SlowdownReasons = SlowdownReasons::NONE.with(SlowdownReason::HardwareThermal);
const FAILED: Missing = Missing::Failed(any_code(999));
/// How often the guard may look.
const POLLS: [f64; 3] = [0.1, 1.0, 10.0];

fn c(degrees: f64) -> Celsius {
    Celsius::new(degrees)
}

/// 85 / 78 / 72, and memory 95 / 88 / 82.
fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: Watts::from_watts(400),
            min: Watts::from_watts(100),
            max: Watts::from_watts(400),
        }),
        thresholds: Thresholds {
            gpu_max: Some(c(85.0)),
            mem_max: Some(c(95.0)),
            ..Thresholds::default()
        },
        ..Facts::default()
    }
}

/// A card, looked at.
struct Bench {
    judge: Judge,
    facts: Facts,
    reading: Reading,
    extra_sensors: Vec<ExtraSensor>,
    poll: f64,
    seconds: f64,
}

impl Bench {
    /// With these sensors, drawing 300 W.
    fn new(core: Option<f64>, memory: Option<f64>, margin: Option<f64>) -> Self {
        Self::with(facts(), core, memory, margin)
    }

    fn with(facts: Facts, core: Option<f64>, memory: Option<f64>, margin: Option<f64>) -> Self {
        let said = |value: Option<f64>| value.map(c).ok_or(NONE);
        Self {
            judge: Judge::new(TripOverrides::default(), &facts),
            facts,
            reading: Reading {
                core: said(core),
                memory: said(memory),
                margin: said(margin),
                draw: Ok(Watts::from_watts(300)),
                slowdown_reasons: Ok(SlowdownReasons::default()),
                ..Reading::missing(Moment::START, NONE)
            },
            extra_sensors: Vec::new(),
            poll: 1.0,
            seconds: 0.0,
        }
    }

    fn core(core: f64) -> Self {
        Self::new(Some(core), None, None)
    }

    fn polled(self, poll: f64) -> Self {
        Self { poll, ..self }
    }

    fn draws(&mut self, watts: f64) {
        self.reading.draw = Ok(Watts::from_f64(watts));
    }

    fn look(&mut self) -> Judgement {
        self.seconds += self.poll;
        self.look_now(true)
    }

    fn look_now(&mut self, in_turn: bool) -> Judgement {
        let now = Moment::from_secs_f64(self.seconds);
        self.judge.judge(
            now,
            &self.reading,
            &self.facts,
            &self.extra_sensors,
            in_turn,
        )
    }

    /// Looks for so long; the last judgement.
    fn pass(&mut self, seconds: f64) -> Judgement {
        let end = self.seconds + seconds;
        loop {
            let judgement = self.look();
            if self.seconds >= end {
                return judgement;
            }
        }
    }

    /// The judgement after it says so at a steady `core`.
    fn says(&mut self, core: f64) -> Judgement {
        self.reading.core = Ok(c(core));
        self.look()
    }

    /// Seconds until it is blind.
    #[track_caller]
    fn until_blind(&mut self) -> f64 {
        let from = self.seconds;
        while !is_blind(&self.look()) {
            assert!(self.seconds < from + 600.0, "never");
        }
        self.seconds - from
    }
}

fn is_blind(judgement: &Judgement) -> bool {
    matches!(judgement.view, View::Blind(_))
}

#[track_caller]
fn heat(judgement: &Judgement) -> Heat {
    match judgement.view {
        View::Clear(heat) => heat,
        view => panic!("{view:?}"),
    }
}

fn state(judgement: &Judgement, sensor: Sensor) -> SensorState {
    judgement.sensors[sensor].state
}

// What can be read, and what can't.

#[test]
fn one_failed_read_is_a_blink_and_changes_no_state() {
    for poll in POLLS {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.look();
        bench.reading.core = Err(FAILED);
        let blink = bench.look();
        assert_eq!(blink.view, View::Blink, "{poll}");
        assert_eq!(state(&blink, Sensor::Core), SensorState::Working);
        let again = bench.says(60.0);
        assert_eq!(heat(&again).to_alert, c(18.0));
        assert_eq!((again.doubt, again.doubted), (None, None));
    }
}

#[test]
fn a_core_that_fails_for_two_seconds_and_twice_makes_blind_and_is_told_as_failing() {
    // A poll of ten seconds is blind with its second failure.
    for (poll, expected) in [(0.1, 2.1), (1.0, 3.0), (10.0, 20.0)] {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.look();
        bench.reading.core = Err(FAILED);
        let took = bench.until_blind();
        assert!((took - expected).abs() < 0.15, "{poll}: {took}");
        let judgement = bench.look();
        assert_eq!(judgement.doubt, Some(Doubt::Missing));
        assert_eq!(judgement.doubted, Some(Sensor::Core));
        let report = judgement.sensors[Sensor::Core];
        let failing = (SensorState::Failing, Some(FAILED));
        assert_eq!((report.state, report.missing), failing);
        assert_eq!(bench.judge.doubted()[Sensor::Core], Some(Doubt::Missing));
    }
}

#[test]
fn a_storm_of_wakes_neither_blinds_nor_gives_sight() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(FAILED);
    for wake in 0..1000 {
        bench.seconds += 0.01;
        assert_eq!(bench.look_now(false).view, View::Blink, "{wake}");
    }
    assert!(is_blind(&bench.pass(3.0)));
    bench.reading.core = Ok(c(60.0));
    for wake in 0..2000 {
        bench.seconds += 0.01;
        assert!(is_blind(&bench.look_now(false)), "{wake}");
    }
}

#[test]
fn sight_takes_nine_good_seconds_at_every_pace() {
    for (poll, expected) in [(0.1, 9.1), (1.0, 10.0), (10.0, 20.0)] {
        let mut bench = Bench::core(60.0).polled(poll);
        bench.reading.core = Err(FAILED);
        bench.until_blind();
        bench.reading.core = Ok(c(60.0));
        let from = bench.seconds;
        while is_blind(&bench.look()) {}
        let took = bench.seconds - from;
        assert!((took - expected).abs() < 0.15, "{poll}: {took}");
    }
}

#[test]
fn a_sensor_that_fails_from_the_first_read_is_no_absence() {
    for why in [FAILED, Missing::Implausible(255)] {
        let mut bench = Bench::core(60.0);
        bench.reading.core = Err(why);
        bench.until_blind();
        assert_eq!(state(&bench.look(), Sensor::Core), SensorState::Failing);
    }
}

#[test]
fn a_sensor_that_was_never_offered_is_absent_and_one_that_once_worked_never_is() {
    let mut none = Bench::new(None, None, None);
    for _ in 0..100 {
        let judgement = none.look();
        assert_eq!(judgement.view, View::Never);
        assert_eq!(state(&judgement, Sensor::Core), SensorState::Absent);
    }
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(NONE);
    assert_eq!(bench.look().view, View::Blink);
    bench.until_blind();
    assert_eq!(state(&bench.look(), Sensor::Core), SensorState::Failing);
}

#[test]
fn a_card_that_was_away_has_no_more_sensors_than_before() {
    let mut bench = Bench::core(60.0);
    bench.look();
    let before = bench.reading.clone();
    for away in [Missing::Lost, FAILED] {
        bench.reading = Reading::missing(Moment::START, away);
        bench.pass(5.0);
        bench.reading = before.clone();
        let judgement = bench.pass(30.0);
        assert_eq!(heat(&judgement).to_alert, c(18.0), "{away:?}");
        assert_eq!(state(&judgement, Sensor::Memory), SensorState::Absent);
        assert_eq!(bench.judge.doubted(), BySensor::default());
    }
}

#[test]
fn another_driver_may_have_other_sensors_and_the_same_one_has_not() {
    for (version, absent) in [("580", false), ("590", true)] {
        let mut bench = Bench::core(60.0);
        bench.judge.reopened(Some("580"));
        bench.look();
        bench.reading.core = Err(NONE);
        bench.judge.reopened(Some(version));
        let state = state(&bench.pass(10.0), Sensor::Core);
        assert_eq!(state == SensorState::Absent, absent, "{version}");
    }
}

#[test]
fn a_critical_reading_is_acted_on_even_while_blind() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.core = Err(FAILED);
    bench.until_blind();
    let View::Blind(Some(heat)) = bench.says(91.0).view else {
        panic!("not trusted yet, and hot all the same");
    };
    assert!(heat.is_critical());
}

#[test]
fn a_rise_is_always_believed() {
    let mut bench = Bench::core(40.0);
    bench.look();
    assert!(heat(&bench.says(95.0)).is_critical());
}

// Memory, margin, and what stands in for them.

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

// Frozen.

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

// Fallen.

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

// The card's own slowdown.

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

// A guard before this one.

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

// Files beside the card.

fn sensor(now: Option<f64>) -> ExtraSensor {
    ExtraSensor {
        name: "inlet".into(),
        trips: Trips {
            alert: c(38.0),
            critical: c(45.0),
            safe: c(32.0),
        },
        now: now.map(c),
        last: now.map(c),
        left_hot: false,
    }
}

#[test]
fn a_card_without_a_sensor_is_judged_by_the_files_beside_it_and_their_loss_is_no_absence() {
    let mut bench = Bench::new(None, None, None);
    bench.extra_sensors = vec![sensor(Some(30.0))];
    assert_eq!(heat(&bench.look()).to_alert, c(8.0));
    bench.extra_sensors = vec![sensor(None)];
    assert_eq!(bench.look().view, View::Blink);
    bench.until_blind();
    let mut never = Bench::new(None, None, None);
    never.extra_sensors = vec![sensor(None)];
    never.until_blind();
}

#[test]
fn a_file_beside_a_card_with_a_sensor_only_adds_to_it() {
    let mut bench = Bench::core(60.0);
    bench.extra_sensors = vec![sensor(Some(46.0))];
    assert!(heat(&bench.look()).is_critical());
    bench.extra_sensors = vec![sensor(None)];
    let judgement = bench.pass(60.0);
    assert_eq!(heat(&judgement).to_alert, c(18.0));
    assert_eq!(judgement.doubt, Some(Doubt::ExtraSensor));
    bench.reading.core = Err(FAILED);
    bench.extra_sensors = vec![sensor(Some(20.0))];
    assert!(is_blind(&bench.pass(5.0)), "a cool file is no sight");
}

// All of it.

#[test]
fn cool_is_what_is_seen_safe_and_nothing_else() {
    assert!(Bench::core(72.0).look().is_cool());
    assert!(!Bench::core(72.1).look().is_cool());
    let mut blink = Bench::core(60.0);
    blink.look();
    blink.reading.core = Err(FAILED);
    assert!(!blink.look().is_cool());
    let mut lost = Bench::core(60.0);
    lost.reading.core = Err(FAILED);
    lost.until_blind();
    lost.reading.core = Ok(c(40.0));
    assert!(!lost.look().is_cool(), "one good read is no proof");
    assert!(!Bench::new(None, None, None).look().is_cool());
}

#[test]
fn a_draw_that_fails_is_the_last_one_for_three_seconds() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.draw = Err(FAILED);
    for _ in 0..3 {
        assert_eq!(bench.look().draw, Some(Watts::from_watts(300)));
    }
    let judgement = bench.look();
    assert_eq!(judgement.draw, None);
    assert_eq!(state(&judgement, Sensor::Power), SensorState::Failing);
    assert_eq!(judgement.doubt, None, "it isn't what tells how hot it is");
}

#[test]
fn one_failed_read_of_the_draw_is_no_failing_sensor() {
    let mut bench = Bench::core(60.0);
    bench.look();
    bench.reading.draw = Err(FAILED);
    assert_eq!(state(&bench.look(), Sensor::Power), SensorState::Working);
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
