use std::time::Duration;

use super::*;
use crate::device::PowerConstraints;
use crate::policy::LimitClaim;
use crate::units::{Celsius, Megahertz};

fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

fn under_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(degrees);
    Heat {
        to_alert,
        to_critical: to_alert + Celsius::new(7.0),
        to_safe: to_alert - Celsius::new(6.0),
    }
}

fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: w(400),
            min: w(100),
            max: w(400),
        }),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    }
}

fn settings(regulator: RegulatorName) -> Settings {
    Settings {
        regulator,
        ..Settings::default()
    }
}

const BOTH: [RegulatorName; 2] = [RegulatorName::Governor, RegulatorName::Ladder];

/// With all that is configured and offered.
fn made(settings: &Settings, facts: &Facts) -> Regulator {
    Regulator::new(settings, facts, &Means::all(settings, facts))
}

fn of(name: RegulatorName) -> Regulator {
    made(&settings(name), &facts())
}

const DRIVE: Drive = Drive {
    draw: Some(Watts::from_watts(390)),
    clock: None,
    original: Watts::from_watts(400),
    limit: None,
};

#[test]
fn a_card_without_a_power_limit_is_left_to_the_ladder() {
    assert!(matches!(
        of(RegulatorName::Governor),
        Regulator::Governor(_)
    ));
    assert!(matches!(of(RegulatorName::Ladder), Regulator::Ladder(_)));
    let none = Facts::default();
    let governor = settings(RegulatorName::Governor);
    let regulator = made(&governor, &none);
    assert!(matches!(regulator, Regulator::Ladder(_)));
    let not_allowed = Settings {
        power_limit: false,
        ..governor
    };
    let regulator = made(&not_allowed, &facts());
    assert!(matches!(regulator, Regulator::Ladder(_)));
}

#[test]
fn both_take_when_hot_and_give_all_back_when_cool() {
    for name in BOTH {
        let mut regulator = of(name);
        assert!(regulator.is_released() && !regulator.is_exhausted());
        regulator.observe(at(0), &under_alert(-5.0), DRIVE.draw);
        regulator.regulate(at(1), &under_alert(-5.0), DRIVE);
        assert!(!regulator.is_released(), "{name:?}");
        assert!(
            regulator
                .targets()
                .limit
                .is_some_and(|limit| limit < w(400))
        );
        let back = (1..100)
            .any(|step| regulator.give_back(at(5 * step), &under_alert(20.0), DRIVE.original));
        assert!(back && regulator.is_released(), "{name:?}");
    }
}

#[test]
fn both_know_the_bottom_and_the_way_out() {
    for name in BOTH {
        let mut regulator = of(name);
        regulator.bottom(at(1));
        assert!(regulator.is_exhausted(), "{name:?}");
        assert_eq!(regulator.targets().limit, Some(w(100)));
        assert!(!regulator.give_back(at(1), &under_alert(20.0), DRIVE.original));
        regulator.reset(at(2));
        assert!(regulator.is_released());
        regulator.descend_to(at(3), Some(w(300)));
        assert!(regulator.targets().limit <= Some(w(300)) && !regulator.is_released());
    }
}

#[test]
fn both_go_on_from_what_a_dead_guard_left() {
    let claim = Claim {
        limit: Some(LimitClaim {
            original: w(400),
            previous: w(400),
            next: w(250),
        }),
        ..Claim::default()
    };
    for name in BOTH {
        let mut regulator = of(name);
        regulator.adopt(at(1), &claim);
        assert!(
            regulator
                .targets()
                .limit
                .is_some_and(|limit| limit <= w(250))
        );
    }
}

#[test]
fn other_limits_keep_what_is_held_and_another_policy_begins_anew() {
    let other = Facts {
        power: Some(PowerConstraints {
            default: w(300),
            min: w(150),
            max: w(300),
        }),
        ..facts()
    };
    for name in BOTH {
        let mut regulator = of(name);
        regulator.descend_to(at(1), Some(w(200)));
        let settings = settings(name);
        regulator.replace(&settings, &other, &Means::all(&settings, &other));
        assert!(!regulator.is_released(), "{name:?}");
        assert_eq!(regulator.rungs().emergency().limit, Some(w(150)));
    }
    let mut regulator = of(RegulatorName::Governor);
    regulator.bottom(at(1));
    let ladder = settings(RegulatorName::Ladder);
    regulator.replace(&ladder, &other, &Means::all(&ladder, &other));
    assert!(matches!(regulator, Regulator::Ladder(_)));
    assert!(regulator.is_released());
}
