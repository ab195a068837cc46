use super::*;
use crate::units::Celsius;

const DELAY: Duration = Duration::from_secs(30);

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

/// So many degrees under alert, on a card of 85 / 78 / 72.
fn under_alert(degrees: f64) -> Heat {
    Heat {
        to_alert: Celsius::new(degrees),
        to_critical: Celsius::new(degrees + 7.0),
        to_safe: Celsius::new(degrees - 6.0),
    }
}

const CRITICAL: f64 = -7.0;
const HOT: f64 = 0.0;
const AT_SET_POINT: f64 = 1.0;
/// Between the set point and safe.
const WARM: f64 = 3.0;
const SAFE: f64 = 6.0;

/// A held GPU, at this distance under alert.
fn situation(degrees: f64) -> Situation {
    Situation {
        heat: under_alert(degrees),
        binds: true,
        asked: Level::None,
        alone: Level::None,
        withheld: false,
        needs_fans: false,
        overheld: false,
        paused: false,
    }
}

fn in_state(state: State) -> Machine {
    let mut machine = Machine::new(DELAY);
    machine.enter(state);
    machine
}

#[test]
fn names_and_levels_are_the_contracts() {
    let states = State::ALL.map(|state| (state.name(), state.level().name()));
    assert_eq!(
        states,
        [
            ("normal", "none"),
            ("gradual", "gradual"),
            ("emergency", "emergency"),
            ("recovering", "none"),
            ("blind", "gradual"),
            ("unguarded", "none")
        ]
    );
}

#[test]
fn the_most_that_heat_or_leases_ask_is_done_and_in_a_pause_only_critical() {
    for (degrees, asked, wants, paused) in [
        (CRITICAL, Level::None, Level::Emergency, Level::Emergency),
        (HOT, Level::None, Level::Gradual, Level::None),
        (AT_SET_POINT, Level::None, Level::Gradual, Level::None),
        (
            AT_SET_POINT,
            Level::Emergency,
            Level::Emergency,
            Level::None,
        ),
        (WARM, Level::None, Level::None, Level::None),
        (WARM, Level::Gradual, Level::Gradual, Level::None),
    ] {
        let free = Situation {
            asked,
            ..situation(degrees)
        };
        assert_eq!(free.wants(), wants, "{free:?}");
        let held = Situation {
            paused: true,
            ..free
        };
        assert_eq!(held.wants(), paused, "{held:?}");
    }
}

#[test]
fn it_is_calm_at_safe_or_when_no_setting_binds_under_the_set_point() {
    for (degrees, binds, calm) in [
        (SAFE, true, true),
        (SAFE - 0.1, true, false),
        (SAFE - 0.1, false, true),
        (AT_SET_POINT, false, false),
    ] {
        let situation = Situation {
            binds,
            ..situation(degrees)
        };
        assert_eq!(situation.is_calm(), calm, "{situation:?}");
    }
}

#[test]
fn heat_escalates_at_once() {
    let mut machine = Machine::new(DELAY);
    assert_eq!(
        machine.step(at(0), &situation(AT_SET_POINT)),
        State::Gradual
    );
    assert_eq!(machine.step(at(1), &situation(CRITICAL)), State::Emergency);
    let mut machine = in_state(State::Recovering);
    assert_eq!(
        machine.step(at(0), &situation(AT_SET_POINT)),
        State::Gradual
    );
}

#[test]
fn gradual_is_released_after_the_delay_of_calm() {
    let mut machine = in_state(State::Gradual);
    assert_eq!(machine.step(at(5), &situation(SAFE)), State::Gradual);
    assert_eq!(machine.step(at(34), &situation(SAFE)), State::Gradual);
    assert_eq!(machine.step(at(35), &situation(SAFE)), State::Recovering);
}

#[test]
fn warmth_and_heat_restart_the_calm() {
    for degrees in [WARM, AT_SET_POINT] {
        let mut machine = in_state(State::Gradual);
        machine.step(at(0), &situation(SAFE));
        machine.step(at(29), &situation(degrees));
        machine.step(at(30), &situation(SAFE));
        assert_eq!(machine.step(at(59), &situation(SAFE)), State::Gradual);
        assert_eq!(machine.step(at(60), &situation(SAFE)), State::Recovering);
    }
}

#[test]
fn a_level_by_temperature_alone_is_not_released_early() {
    let held = Situation {
        alone: Level::Gradual,
        ..situation(SAFE)
    };
    let mut machine = in_state(State::Gradual);
    machine.step(at(0), &held);
    assert_eq!(machine.step(at(100), &held), State::Gradual);
    assert_eq!(machine.step(at(101), &situation(SAFE)), State::Recovering);
}

#[test]
fn a_pause_releases_without_the_delay_but_not_while_hot() {
    let paused = |degrees| Situation {
        paused: true,
        ..situation(degrees)
    };
    assert_eq!(
        in_state(State::Gradual).step(at(0), &paused(AT_SET_POINT)),
        State::Recovering
    );
    assert_eq!(
        in_state(State::Gradual).step(at(0), &paused(HOT)),
        State::Gradual
    );
}

#[test]
fn leases_that_held_too_long_are_dropped_at_once_but_not_what_heat_holds() {
    let overheld = |alone| Situation {
        overheld: true,
        alone,
        ..situation(WARM)
    };
    for (from, alone, to) in [
        (State::Gradual, Level::None, State::Recovering),
        (State::Gradual, Level::Gradual, State::Gradual),
        (State::Emergency, Level::None, State::Recovering),
        (State::Emergency, Level::Gradual, State::Gradual),
    ] {
        assert_eq!(in_state(from).step(at(0), &overheld(alone)), to);
    }
    let mut machine = in_state(State::Emergency);
    assert_eq!(machine.step(at(0), &situation(WARM)), State::Emergency);
}

#[test]
fn emergency_becomes_gradual_after_the_delay_below_alert() {
    let mut machine = in_state(State::Emergency);
    machine.relapses = 3;
    machine.step(at(0), &situation(HOT + 0.1));
    machine.step(at(20), &situation(HOT));
    machine.step(at(21), &situation(HOT + 0.1));
    assert_eq!(
        machine.step(at(50), &situation(HOT + 0.1)),
        State::Emergency
    );
    assert_eq!(machine.step(at(51), &situation(HOT + 0.1)), State::Gradual);
    let lease = Situation {
        asked: Level::Emergency,
        ..situation(SAFE)
    };
    let mut machine = in_state(State::Emergency);
    machine.step(at(0), &lease);
    assert_eq!(machine.step(at(100), &lease), State::Emergency);
}

#[test]
fn normal_recovering_and_blind_stay_when_nothing_is_wanted() {
    for state in [State::Normal, State::Recovering, State::Blind] {
        assert_eq!(in_state(state).step(at(99), &situation(WARM)), state);
    }
}

/// Throttled and recovering since `second`.
fn recovering_since(second: u64, relapses: u32) -> Machine {
    let mut machine = in_state(State::Gradual);
    machine.relapses = relapses;
    machine.calm_since = Some(Moment::START);
    machine.step(at(second), &situation(SAFE));
    assert_eq!(machine.state(), State::Recovering);
    machine
}

#[test]
fn heat_within_five_minutes_of_a_recovery_doubles_the_next_delay() {
    for (second, relapses, after) in [(1300, 0, 1), (1300, 3, 4), (1300, 5, 5), (1301, 3, 0)] {
        let mut machine = recovering_since(1000, relapses);
        machine.step(at(second), &situation(AT_SET_POINT));
        assert_eq!(machine.relapses, after, "at {second} with {relapses}");
        // And no longer than what leaves time to give back within five minutes of one delay.
        let delay = (30 * 2_u64.pow(after)).min(30 + 210);
        machine.step(at(2000), &situation(SAFE));
        machine.step(at(2000 + delay - 1), &situation(SAFE));
        assert_eq!(machine.state(), State::Gradual);
        machine.step(at(2000 + delay), &situation(SAFE));
        assert_eq!(machine.state(), State::Recovering);
    }
}

#[test]
fn a_lease_after_a_recovery_is_no_relapse() {
    let lease = Situation {
        asked: Level::Gradual,
        ..situation(WARM)
    };
    let mut machine = recovering_since(1000, 2);
    machine.step(at(1010), &lease);
    assert_eq!((machine.state(), machine.relapses), (State::Gradual, 2));
}

#[test]
fn holding_never_lowers_and_restarts_the_calm() {
    for (from, level, to) in [
        (State::Normal, Level::None, State::Normal),
        (State::Normal, Level::Gradual, State::Gradual),
        (State::Recovering, Level::Gradual, State::Gradual),
        (State::Gradual, Level::Gradual, State::Gradual),
        (State::Emergency, Level::Gradual, State::Emergency),
        (State::Emergency, Level::None, State::Emergency),
        (State::Gradual, Level::Emergency, State::Emergency),
    ] {
        let mut machine = in_state(from);
        machine.calm_since = Some(at(1));
        machine.hold(level);
        assert_eq!((machine.state(), machine.calm_since), (to, None));
    }
}

#[test]
fn settling_is_at_what_is_asked() {
    for (level, state) in [
        (Level::None, State::Normal),
        (Level::Gradual, State::Gradual),
        (Level::Emergency, State::Emergency),
    ] {
        let mut machine = in_state(State::Recovering);
        machine.settle(level);
        assert_eq!(machine.state(), state);
    }
}

#[test]
fn all_given_back_is_normal_and_another_delay_holds_at_once() {
    let mut machine = in_state(State::Recovering);
    machine.recovered();
    assert_eq!(machine.state(), State::Normal);
    let mut machine = in_state(State::Gradual);
    machine.set_recovery_delay(Duration::ZERO);
    assert_eq!(machine.step(at(0), &situation(SAFE)), State::Recovering);
}
