use std::time::Duration;

use super::*;
use crate::device::Knob;
use crate::policy::LimitClaim;
use crate::units::{Celsius, Megahertz, Watts};

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

fn settings(regulator: PolicyName) -> Settings {
    Settings {
        regulator,
        ..Settings::default()
    }
}

fn limited(limit: Watts) -> Targets {
    Targets {
        limit: Some(limit),
        ..Targets::default()
    }
}

const BOTH: [PolicyName; 2] = [PolicyName::Governor, PolicyName::Ladder];

/// With all that is configured and offered.
fn made(settings: &Settings, facts: &Facts) -> Regulator {
    Regulator::new(settings, facts, &Means::all(settings, facts))
}

fn of(name: PolicyName) -> Regulator {
    made(&settings(name), &facts())
}

const DRIVE: Drive = Drive {
    draw: Some(Watts::from_watts(390)),
    measured: Some(Watts::from_watts(390)),
    capped: false,
    clock: None,
    ceiling: None,
    original: Watts::from_watts(400),
    limit: None,
};

#[test]
fn a_card_without_a_power_limit_is_governed_by_its_clock() {
    assert!(matches!(of(PolicyName::Governor), Regulator::Limit(_)));
    assert!(matches!(of(PolicyName::Ladder), Regulator::Ladder(_)));
    let governor = settings(PolicyName::Governor);
    let none = Facts {
        power: None,
        ..facts()
    };
    assert!(matches!(made(&governor, &none), Regulator::Ceiling(_)));
    let not_allowed = Settings {
        enabled: governor.enabled.with(Knob::PowerLimit, false),
        ..governor.clone()
    };
    let regulator = made(&not_allowed, &facts());
    assert!(matches!(regulator, Regulator::Ceiling(_)));
    let ladder = made(&settings(PolicyName::Ladder), &none);
    assert!(matches!(ladder, Regulator::Ladder(_)));
}

#[test]
fn with_neither_limit_nor_clock_the_ladder_tells_the_applications() {
    let governor = settings(PolicyName::Governor);
    let regulator = made(&governor, &Facts::default());
    assert!(matches!(regulator, Regulator::Ladder(_)));
    let no_clock = Settings {
        enabled: governor.enabled.with(Knob::GpuClock, false),
        ..governor
    };
    let none = Facts {
        power: None,
        ..facts()
    };
    assert!(matches!(made(&no_clock, &none), Regulator::Ladder(_)));
}

#[test]
fn a_limit_that_failed_before_governs_only_once_it_works() {
    let settings = settings(PolicyName::Governor);
    let tried = Means {
        power_failed: true,
        ..Means::all(&settings, &facts())
    };
    let regulator = Regulator::new(&settings, &facts(), &tried);
    assert!(matches!(regulator, Regulator::Ceiling(_)));
    assert!(
        regulator
            .rungs()
            .all
            .iter()
            .all(|rung| rung.limit.is_none())
    );
    let nothing_else = Facts {
        gpu_clock_max: None,
        ..facts()
    };
    let regulator = Regulator::new(&settings, &nothing_else, &tried);
    assert!(matches!(regulator, Regulator::Limit(_)));
}

#[test]
fn both_take_when_hot_and_give_all_back_when_cool() {
    for name in BOTH {
        let mut regulator = of(name);
        assert!(regulator.is_released() && !regulator.is_exhausted());
        regulator.observe(at(0), &under_alert(-5.0), &DRIVE);
        regulator.regulate(at(1), &under_alert(-5.0), DRIVE);
        assert!(!regulator.is_released(), "{name:?}");
        assert!(
            regulator
                .targets()
                .limit
                .is_some_and(|limit| limit < w(400))
        );
        let back =
            (1..100).any(|step| regulator.give_back(at(5 * step), &under_alert(20.0), &DRIVE));
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
        assert!(!regulator.give_back(at(1), &under_alert(20.0), &DRIVE));
        regulator.reset(at(2));
        assert!(regulator.is_released());
        regulator.descend_to(at(3), &limited(w(300)));
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
        regulator.adopt(at(1), &claim, &Locks::default());
        assert!(
            regulator
                .targets()
                .limit
                .is_some_and(|limit| limit <= w(250))
        );
    }
}

#[test]
fn other_limits_keep_the_throttle_and_another_policy_starts_from_the_beginning() {
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
        regulator.descend_to(at(1), &limited(w(200)));
        let settings = settings(name);
        regulator.replace(&settings, &other, &Means::all(&settings, &other));
        assert!(!regulator.is_released(), "{name:?}");
        assert_eq!(regulator.rungs().emergency().limit, Some(w(150)));
    }
    let mut regulator = of(PolicyName::Governor);
    regulator.bottom(at(1));
    let ladder = settings(PolicyName::Ladder);
    regulator.replace(&ladder, &other, &Means::all(&ladder, &other));
    assert!(matches!(regulator, Regulator::Ladder(_)));
    assert!(regulator.is_released());
}

#[test]
fn no_lock_is_looser_than_the_operators_own() {
    use crate::device::ClockRange;
    let lists = [
        vec![],
        (0..60)
            .rev()
            .map(|n| Megahertz::new(200 + n * 30))
            .collect(),
    ];
    for (own, gpu_clocks) in [300, 600, 1410, 1999].into_iter().zip(lists.iter().cycle()) {
        let own = Megahertz::new(own);
        let own_clock = Some(ClockRange {
            min: Megahertz::new(210),
            max: own,
        });
        for (name, power) in BOTH
            .into_iter()
            .flat_map(|it| [(it, facts().power), (it, None)])
        {
            let facts = Facts {
                power,
                gpu_clock_min: Some(Megahertz::new(210)),
                gpu_clocks: gpu_clocks.clone(),
                ..facts()
            };
            let settings = Settings {
                own_clock,
                ..settings(name)
            };
            let mut regulator = Regulator::new(&settings, &facts, &Means::all(&settings, &facts));
            let rungs = regulator.rungs().clone();
            let targets = [rungs.emergency(), rungs.blind()];
            let targets = rungs.all.iter().chain(&targets).map(|it| it.locks[Gpu]);
            let others = [rungs.contested_clock(), rungs.leased_clock()];
            for lock in targets.chain(others).flatten() {
                assert!(
                    lock.max <= own && lock.min <= lock.max,
                    "{own:?} {name:?}: {lock:?}"
                );
            }
            regulator.bottom(at(1));
            let lowest = regulator.targets().locks[Gpu];
            assert!(
                lowest.is_some_and(|lock| lock.max < own),
                "{own:?} {name:?}"
            );
        }
    }
}
