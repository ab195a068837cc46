use super::*;

const FINE: Heat = Heat {
    to_alert: Celsius::new(18.0),
    to_critical: Celsius::new(25.0),
    to_safe: Celsius::new(12.0),
};

fn reading(core: f64, draw: u32, events: ClockEvents) -> Reading {
    Reading {
        core: Ok(Celsius::new(core)),
        draw: Ok(Watts::from_watts(draw)),
        events: Ok(events),
        ..Reading::missing(Moment::START, Missing::NotSupported)
    }
}

fn witness() -> Witness {
    Witness::new(Some(Watts::from_watts(400)), None)
}

fn at(second: u32) -> Moment {
    Moment::from_secs_f64(f64::from(second))
}

/// The doubts over a run of readings, one a second.
fn doubts(readings: impl Iterator<Item = (f64, u32)>) -> Vec<Option<Doubt>> {
    let mut witness = witness();
    let question = |(second, (core, draw))| {
        let reading = reading(core, draw, ClockEvents::default());
        witness.question(at(second), &reading, Ok(FINE)).1
    };
    (0..).zip(readings).map(question).collect()
}

#[test]
fn a_reading_that_stands_still_while_the_power_moves_is_frozen() {
    let seen = doubts((0..60).map(|second| (60.0, if second < 10 { 400 } else { 150 })));
    assert_eq!(seen[15], None, "not before twenty seconds");
    assert_eq!(seen[25], Some(Doubt::Frozen));
    assert_eq!(
        seen[59],
        Some(Doubt::Frozen),
        "and stays so, the power being steady again"
    );
}

#[test]
fn a_card_held_still_by_a_governor_or_by_itself_is_believed() {
    // 150 W over half an hour, the reading always the same.
    let governed = (0..1800_u32).map(|second| (77.0, 350 - second / 12));
    assert!(doubts(governed).iter().all(Option::is_none));
    let mut witness = witness();
    for second in 0..120 {
        let draw = if second % 30 < 15 { 380 } else { 200 };
        let own = Heat {
            to_critical: Celsius::new(0.0),
            ..FINE
        };
        let slowed = reading(85.0, draw, ClockEvents::SW_THERMAL_SLOWDOWN);
        assert_eq!(
            witness.question(at(second), &slowed, Ok(own)).1,
            None,
            "{second}"
        );
    }
}

#[test]
fn a_steady_card_under_steady_power_is_believed() {
    assert!(
        doubts((0..3600).map(|_| (60.0, 300)))
            .iter()
            .all(Option::is_none)
    );
}

#[test]
fn a_card_that_follows_its_power_is_believed() {
    let follows = (0..600_u32).map(|second| match second % 60 {
        phase @ 0..30 => (60.0 + f64::from(phase.min(9)), 400),
        phase => (69.0 - f64::from((phase - 30).min(9)), 100),
    });
    assert!(doubts(follows).iter().all(Option::is_none));
}

#[test]
fn a_fall_is_doubted_a_rise_never() {
    let seen = doubts(
        [
            (80.0, 300),
            (30.0, 300),
            (79.0, 300),
            (30.0, 310),
            (95.0, 300),
        ]
        .into_iter(),
    );
    assert_eq!(
        seen,
        [None, Some(Doubt::Fallen), None, Some(Doubt::Fallen), None]
    );
}

#[test]
fn a_new_level_is_accepted_once_it_could_have_cooled() {
    let seen = doubts((0..10).map(|second| (if second == 0 { 80.0 } else { 30.0 }, 300)));
    assert_eq!(seen[3], Some(Doubt::Fallen));
    assert_eq!(seen[4], None, "fifty degrees in four seconds");
}

#[test]
fn the_cards_own_slowdown_is_believed_over_its_thermometer() {
    let hardware = reading(60.0, 300, ClockEvents::HW_THERMAL_SLOWDOWN);
    let (heat, doubt) = witness().question(at(0), &hardware, Ok(FINE));
    assert!(heat.is_some_and(|heat| heat.is_critical()));
    assert_eq!(doubt, Some(Doubt::Contradicted));
    let software = reading(60.0, 300, ClockEvents::SW_THERMAL_SLOWDOWN);
    let mut witness = witness();
    assert_eq!(
        witness.question(at(0), &software, Ok(FINE)),
        (Some(FINE), None)
    );
    let (heat, doubt) = witness.question(at(5), &software, Ok(FINE));
    assert!(heat.is_some_and(|heat| heat.is_hot() && !heat.is_critical()));
    assert_eq!(doubt, Some(Doubt::Contradicted));
}

#[test]
fn a_card_at_its_own_target_does_its_job() {
    let mut witness = Witness::new(Some(Watts::from_watts(350)), Some(Celsius::new(70.0)));
    let software = reading(70.0, 300, ClockEvents::SW_THERMAL_SLOWDOWN);
    assert_eq!(
        witness.question(at(0), &software, Ok(FINE)),
        (Some(FINE), None)
    );
}

#[test]
fn a_fall_of_just_what_metal_can_do_is_believed() {
    let seen = doubts([(80.0, 300), (65.0, 300), (49.9, 300)].into_iter());
    assert_eq!(seen, [None, None, Some(Doubt::Fallen)]);
}

/// The doubt after ten seconds of the driver's slowdown at `core`, with a target of 70 °C.
fn slowed_at(core: f64, heat: Heat) -> Option<Doubt> {
    let facts = |target| {
        let mut facts = Facts::default();
        facts.thresholds.acoustic_current = Some(Celsius::new(target));
        facts
    };
    let mut witness = Witness::of(&facts(30.0));
    witness.recalibrate(&facts(70.0));
    let software = reading(core, 300, ClockEvents::SW_THERMAL_SLOWDOWN);
    witness.question(at(0), &software, Ok(heat));
    witness.question(at(10), &software, Ok(heat)).1
}

#[test]
fn a_card_within_a_degree_of_its_target_does_its_job_as_long_as_it_likes() {
    assert_eq!(slowed_at(71.0, FINE), None);
    assert_eq!(slowed_at(69.0, FINE), None);
    assert_eq!(slowed_at(68.9, FINE), Some(Doubt::Contradicted));
}

#[test]
fn a_slowdown_at_alert_contradicts_nothing() {
    let at_alert = Heat {
        to_alert: Celsius::new(0.0),
        ..FINE
    };
    assert_eq!(slowed_at(50.0, at_alert), None);
}

#[test]
fn a_slowdown_that_ended_begins_anew() {
    let mut witness = witness();
    let slowed = reading(60.0, 300, ClockEvents::SW_THERMAL_SLOWDOWN);
    let free = reading(60.0, 300, ClockEvents::default());
    witness.question(at(0), &slowed, Ok(FINE));
    witness.question(at(3), &free, Ok(FINE));
    assert_eq!(witness.question(at(6), &slowed, Ok(FINE)).1, None);
}

#[test]
fn a_hardware_slowdown_is_hot_and_close_to_critical_no_contradiction() {
    let hardware = reading(60.0, 300, ClockEvents::HW_THERMAL_SLOWDOWN);
    let (heat, _) = witness().question(at(0), &hardware, Ok(FINE));
    assert!(heat.is_some_and(|heat| heat.is_hot()));
    let close = Heat {
        to_critical: Celsius::new(3.0),
        ..FINE
    };
    let question = witness().question(at(0), &hardware, Ok(close));
    assert_eq!(question, (Some(close), None));
}
