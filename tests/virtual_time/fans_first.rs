//! Full fans before a watt is cut: on cards whose firmware leaves room in its curve.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests fail by panic, and compare counts exactly"
)]

use std::time::Duration;

use thermal_guard::device::{ByKnob, FanSetting, Knob};
use thermal_guard::guard::Tick;
use thermal_guard::policy::{AppMode, KnobState, Level, Settings, State};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::faults::{Answer, Call, NOT_SUPPORTED};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::{Profile, Thermal};
use thermal_guard::units::Celsius;

use crate::common::figures::tell;
use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// Full fans hold the card between safe and its set point, and its own curve doesn't.
const ENOUGH: Celsius = Celsius::new(26.0);
/// Full fans take it under safe.
const MORE_THAN_ENOUGH: Celsius = Celsius::new(18.0);
/// Full fans don't hold it, and power does.
const TOO_LITTLE: Celsius = Celsius::new(38.0);

/// The alert of the card: 7 °C under its maximum operating temperature.
const ALERT: f64 = 84.0;

/// What operators are promised.
const WORK_LOST: f64 = 0.005;
const OVERSHOOT: f64 = 1.5;

const IDLE: Conditions = Conditions {
    load: Load::IDLE,
    ..room(COOL)
};

/// A card whose firmware goes no further than 60 %, and whose fans are all its air: with full ones it is
/// as one without a recording.
fn node(settings: &Settings) -> Node {
    let like = profile::named("rtx-6000-ada").unwrap();
    let card = Profile {
        thermal: Thermal::of(300.0),
        ..like.clone()
    };
    let node = Node::new(&[Box::leak(Box::new(card))], settings);
    {
        let mut card = node.rack.card(0);
        card.fans.top = 60;
        card.fans.cools = 1;
    }
    node
}

fn fans_first() -> Settings {
    let settings = Settings::default();
    Settings {
        enabled: settings.enabled.with(Knob::Fan, true),
        ..settings
    }
}

fn state(ticks: &[Tick]) -> State {
    ticks[0].decision.state
}

fn setting(node: &Node) -> FanSetting {
    let manual = node.rack.card(0).fans.manual(0);
    manual.map_or(FanSetting::Automatic, |percent| FanSetting::Manual {
        percent,
    })
}

type Breaks = fn(&Node);

const FULL: FanSetting = FanSetting::Manual { percent: 100 };

/// The work of a card that no guard touches and whose fans are always at full speed: hot silicon
/// draws more, and the card's own limit takes that from the work.
fn untouched(inlet: Celsius, seconds: u64) -> f64 {
    let mut node = node(&Settings {
        enabled: ByKnob::default(),
        ..Settings::default()
    });
    node.rack.card(0).fans.set(0, Some(100));
    node.set(0, room(inlet));
    node.run(seconds);
    node.rack.card(0).state.work_done
}

/// Runs for `seconds` from the start: work lost, and the highest temperature over alert.
fn measure(node: &mut Node, inlet: Celsius, seconds: u64) -> (f64, f64) {
    let before = node.rack.card(0).state.work_done;
    let mut hottest = f64::NEG_INFINITY;
    for _ in 0..seconds {
        node.step();
        hottest = hottest.max(node.rack.card(0).state.die);
    }
    let done = node.rack.card(0).state.work_done - before;
    (1.0 - done / untouched(inlet, seconds), hottest - ALERT)
}

#[test]
fn where_full_fans_are_enough_no_work_is_lost() {
    for inlet in [ENOUGH, MORE_THAN_ENOUGH, Celsius::new(22.0)] {
        let mut node = node(&fans_first());
        node.set(0, room(inlet));
        let (lost, over) = measure(&mut node, inlet, 2 * 3600);
        let card = node.rack.card(0);
        tell(&format!(
            "fans first at an inlet of {inlet}: work lost {:.3} %, overshoot {over:.2} °C, {} limit writes, {} of fans, in two hours",
            lost * 100.0,
            card.limit_writes,
            card.fan_writes
        ));
        assert!(lost <= WORK_LOST && over <= OVERSHOOT, "{inlet}");
        assert!(card.fan_writes > 0, "{inlet}: the fans were needed");
    }
    // The control: the same without the fans.
    let mut node = node(&Settings::default());
    node.set(0, room(ENOUGH));
    assert!(measure(&mut node, ENOUGH, 2 * 3600).0 > 5.0 * WORK_LOST);
}

/// How often the fans were taken within `seconds`.
fn takes(node: &mut Node, seconds: u64) -> u32 {
    let mut takes = 0;
    let mut had = setting(node) == FULL;
    for _ in 0..seconds {
        node.step();
        let has = setting(node) == FULL;
        takes += u32::from(has && !had);
        had = has;
    }
    takes
}

const TWO_HOURS: u64 = 2 * 3600;

/// Applications and people hear of each.
const MOST_TAKES: u32 = 3;

#[test]
fn fans_that_take_a_card_under_safe_do_not_go_up_and_down_under_a_steady_load() {
    for inlet in [12.0, 15.0, 18.0, 20.0, 22.0, 26.0] {
        let mut node = node(&fans_first());
        node.set(0, room(Celsius::new(inlet)));
        let takes = takes(&mut node, TWO_HOURS);
        let die = node.rack.card(0).state.die;
        tell(&format!(
            "inlet {inlet} °C: fans taken {takes} times in two hours, at the end {die:.1} °C"
        ));
        assert!(takes <= MOST_TAKES, "{inlet}: {takes}");
    }
}

/// A load and an inlet.
fn at(power: f64, inlet: Celsius) -> Conditions {
    let load = Load {
        power,
        ..Load::FULL
    };
    Conditions {
        load,
        ..room(inlet)
    }
}

#[test]
fn the_fans_are_given_back_once_the_inlet_falls_and_the_cards_own_curve_is_enough() {
    for cooler in [10.0, 4.0] {
        let mut node = node(&fans_first());
        node.set(0, at(0.8, ENOUGH));
        node.run_until(1800, |ticks| state(ticks) == State::Gradual);
        node.run(1800);
        let heat = node.step()[0].decision.heat.unwrap();
        assert!(heat.is_safe() && setting(&node) == FULL, "{heat:?}");
        node.set(0, at(0.8, Celsius::new(cooler)));
        node.run_until(900, |ticks| state(ticks) == State::Normal);
        assert_eq!(setting(&node), FanSetting::Automatic);
        assert_eq!(takes(&mut node, TWO_HOURS), 0, "{cooler}: not again");
    }
}

#[test]
fn near_the_edge_the_fans_do_not_go_up_and_down_either() {
    for cooler in [12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 20.0, 22.0] {
        let mut node = node(&fans_first());
        node.set(0, at(0.8, ENOUGH));
        node.run_until(1800, |ticks| state(ticks) == State::Gradual);
        node.run(1800);
        node.set(0, at(0.8, Celsius::new(cooler)));
        let takes = takes(&mut node, TWO_HOURS);
        tell(&format!(
            "inlet {cooler} °C: fans taken {takes} times more in two hours"
        ));
        assert!(takes < MOST_TAKES, "{cooler}: {takes}");
    }
}

#[test]
fn the_fans_are_given_back_once_the_load_goes() {
    for power in [0.0, 0.4] {
        let mut node = node(&fans_first());
        node.set(0, room(MORE_THAN_ENOUGH));
        node.run_until(900, |ticks| state(ticks) == State::Gradual);
        node.run(1800);
        assert_eq!(setting(&node), FULL);
        node.set(0, at(power, MORE_THAN_ENOUGH));
        node.run_until(600, |ticks| state(ticks) == State::Normal);
        assert_eq!(setting(&node), FanSetting::Automatic);
        assert_eq!(takes(&mut node, TWO_HOURS), 0, "{power}");
    }
}

#[test]
fn full_fans_are_gradual_and_the_application_is_told() {
    let mut node = node(&fans_first());
    node.set(0, room(ENOUGH));
    node.run_until(900, |ticks| state(ticks) == State::Gradual);
    let tick = &node.run(60)[0];
    assert_eq!(setting(&node), FULL);
    assert_eq!(tick.decision.level, Level::Gradual);
    assert_eq!(tick.decision.targets.app, AppMode::Gradual);
    assert_eq!(tick.decision.knobs[Knob::Fan].state, KnobState::Working);
    assert_eq!(node.rack.card(0).limit_writes, 0);
    node.set(0, IDLE);
    node.run_until(600, |ticks| state(ticks) == State::Normal);
    assert_eq!(setting(&node), FanSetting::Automatic);
}

#[test]
fn where_they_are_not_enough_power_follows_and_the_card_is_held() {
    let mut node = node(&fans_first());
    node.set(0, room(TOO_LITTLE));
    let (lost, over) = measure(&mut node, TOO_LITTLE, 3600);
    let card = node.rack.card(0);
    assert!(card.limit_writes > 0 && lost > 0.0);
    assert_eq!(card.fans.manual(0), Some(100));
    assert!(over <= OVERSHOOT, "{over}");
    drop(card);
    // With the fans it keeps more than without.
    let mut without = self::node(&Settings::default());
    without.set(0, room(TOO_LITTLE));
    assert!(lost < measure(&mut without, TOO_LITTLE, 3600).0);
}

#[test]
fn each_fan_gets_back_who_set_it_before_whether_the_guard_lives_or_not() {
    for original in [None, Some(45)] {
        for dies in [false, true] {
            let mut node = node(&fans_first());
            node.rack.card(0).fans.set(0, original);
            node.set(0, room(TOO_LITTLE));
            node.run_until(900, |ticks| state(ticks) == State::Gradual);
            node.run(30);
            assert_eq!(setting(&node), FULL);
            if dies {
                node.restart(0);
            }
            node.set(0, IDLE);
            node.run_until(900, |ticks| {
                state(ticks) == State::Normal && ticks[0].claim.is_empty()
            });
            let back = node.rack.card(0).fans.manual(0);
            assert_eq!(back, original, "dies: {dies}");
            assert!(node.journal(0).is_none());
        }
    }
}

#[test]
fn a_guard_that_stops_leaves_full_fans_on_a_hot_card_and_none_on_a_cool_one() {
    let mut node = node(&fans_first());
    node.set(0, room(TOO_LITTLE));
    node.run_until(900, |ticks| state(ticks) == State::Gradual);
    node.run(30);
    node.leave(0);
    assert_eq!(setting(&node), FULL);
    assert!(node.journal(0).is_some());
    node.restart(0);
    node.set(0, IDLE);
    node.pass(Duration::from_secs(1200));
    node.step();
    node.leave(0);
    assert_eq!(setting(&node), FanSetting::Automatic);
    assert!(node.journal(0).is_none());
}

#[test]
fn a_fan_that_refuses_or_lies_leaves_the_plan_and_power_follows_at_once() {
    let refuse = |node: &Node| {
        let answer = Answer::code(NOT_SUPPORTED);
        node.rack
            .card(0)
            .faults
            .answers
            .set(Call::SetFanSpeed, answer);
    };
    let unreadable = |node: &Node| {
        let answer = Answer::code(NOT_SUPPORTED);
        node.rack
            .card(0)
            .faults
            .answers
            .set(Call::FanPolicy, answer);
    };
    let ignore = |node: &Node| {
        let answer = Answer::value(30);
        node.rack
            .card(0)
            .faults
            .answers
            .set(Call::SetFanSpeed, answer);
    };
    let stuck = |node: &Node| node.rack.card(0).fans.set_stuck(Some(50));
    let faults: [(Breaks, KnobState); 4] = [
        (refuse, KnobState::Refused),
        (unreadable, KnobState::Refused),
        (ignore, KnobState::Ineffective),
        (stuck, KnobState::Ineffective),
    ];
    for (fault, to) in faults {
        let mut node = node(&fans_first());
        fault(&node);
        node.set(0, room(ENOUGH));
        node.run_until(900, |ticks| state(ticks) == State::Gradual);
        node.run_until(60, |ticks| ticks[0].decision.knobs[Knob::Fan].state == to);
        node.run_until(60, |ticks| ticks[0].claim.limit.is_some());
        let (_, over) = measure(&mut node, ENOUGH, 1800);
        assert!(over <= OVERSHOOT, "{to:?}: {over}");
        node.rack.card(0).faults.answers.clear_all();
        node.rack.card(0).fans.set_stuck(None);
        node.set(0, IDLE);
        node.run_until(900, |ticks| state(ticks) == State::Normal);
        assert_eq!(setting(&node), FanSetting::Automatic);
    }
}

#[test]
fn another_program_that_takes_the_fans_away_is_corrected_once_and_then_left_alone() {
    let mut node = node(&fans_first());
    node.set(0, room(ENOUGH));
    node.run_until(900, |ticks| state(ticks) == State::Gradual);
    node.run(60);
    node.rack.card(0).fans.set(0, None);
    node.run(60);
    assert_eq!(setting(&node), FULL, "set again");
    // It does so every second: power follows.
    for _ in 0..600 {
        node.rack.card(0).fans.set(0, None);
        node.step();
        assert!(node.rack.card(0).state.die < ALERT + OVERSHOOT);
    }
    assert!(node.rack.card(0).limit_writes > 0);
    node.set(0, IDLE);
    node.run_until(900, |ticks| state(ticks) == State::Normal);
    assert_eq!(setting(&node), FanSetting::Automatic);
}

#[test]
fn a_blind_guard_and_an_emergency_want_full_fans_too() {
    let mut node = node(&fans_first());
    node.set(0, room(MORE_THAN_ENOUGH));
    node.run(60);
    node.fault(0, Fault::NoTemperature);
    let answer = Answer::code(999);
    node.rack.card(0).faults.answers.set(Call::Margin, answer);
    node.run_until(60, |ticks| state(ticks) == State::Blind);
    node.run(5);
    assert_eq!(setting(&node), FULL);
    node.fault(0, Fault::None);
    node.rack.card(0).faults.answers.clear_all();
    node.set(0, IDLE);
    node.run_until(900, |ticks| state(ticks) == State::Normal);
    assert_eq!(setting(&node), FanSetting::Automatic);
    let mut node = self::node(&fans_first());
    node.set(0, room(Celsius::new(95.0)));
    node.run_until(900, |ticks| state(ticks) == State::Emergency);
    node.run(5);
    assert_eq!(setting(&node), FULL);
}

#[test]
fn fans_that_are_not_enabled_are_never_set() {
    let mut node = node(&Settings::default());
    node.set(0, room(TOO_LITTLE));
    node.run(1800);
    assert_eq!(node.rack.card(0).fan_writes, 0);
    let mut alone = self::node(&Settings {
        enabled: ByKnob::only(Knob::PowerLimit, true),
        ..Settings::default()
    });
    alone.set(0, room(TOO_LITTLE));
    let tick = &alone.run(900)[0];
    assert_eq!(tick.decision.knobs[Knob::Fan].state, KnobState::Absent);
}
