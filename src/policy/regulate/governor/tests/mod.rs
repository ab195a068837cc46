//! Claims about the governor over a power limit.

mod giving_back;
mod learned;
mod rungs;
mod setting;
mod wanted;

use super::super::limit::LimitDial;
use super::*;
use crate::device::{ClockDomain, Facts, PowerConstraints};
use crate::policy::Settings;
use crate::policy::knobs::Means;
use crate::units::number::near;
use crate::units::{Celsius, Megahertz, Watts};

const fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

const CONSTRAINTS: PowerConstraints = PowerConstraints {
    default: w(400),
    min: w(100),
    max: w(500),
};
const FLOOR: Watts = w(192);

const fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

/// So many degrees over alert (negative: under it).
fn over_alert(degrees: f64) -> Heat {
    let to_alert = Celsius::new(-degrees);
    Heat {
        to_alert,
        to_critical: to_alert + Celsius::new(7.0),
        to_safe: to_alert - Celsius::new(6.0),
    }
}

fn drive(draw: u32) -> Drive {
    Drive {
        draw: Some(w(draw)),
        measured: Some(w(draw)),
        capped: false,
        clock: None,
        ceiling: None,
        original: w(400),
        limit: None,
    }
}

/// Nothing is known of the draw.
fn unread() -> Drive {
    Drive {
        draw: None,
        measured: None,
        ..drive(0)
    }
}

fn under_floor(facts: &Facts) -> Rungs {
    let settings = Settings::default();
    Rungs::under_floor(&settings, facts, &Means::all(&settings, facts))
}

type Governor = super::Governor<LimitDial>;

fn fresh() -> Governor {
    let facts = Facts {
        power: Some(CONSTRAINTS),
        gpu_clock_min: Some(Megahertz::new(200)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    };
    let rungs = under_floor(&facts);
    Governor::new(LimitDial::new(CONSTRAINTS, FLOOR), rungs)
}

/// At rest at `level`, drawing `draw`, at `limit` since second 0.
fn resting(level: f64, draw: u32, limit: Option<Watts>) -> Governor {
    let mut governor = fresh();
    governor.observe(at(0), &over_alert(level), &drive(draw));
    governor.swing = CelsiusDelta::ZERO;
    governor.average = SET_POINT;
    governor.setting = limit;
    governor
}

/// The same with all rungs taken.
fn exhausted(level: f64, draw: u32, limit: Option<Watts>) -> Governor {
    let mut governor = resting(level, draw, limit);
    governor.ladder.bottom(at(0));
    governor
}

/// On the first rung with a lock, at rest at `level`.
fn locked(level: f64) -> Governor {
    let mut governor = resting(level, 192, Some(FLOOR));
    governor
        .ladder
        .regulate(at(0), &over_alert(3.0), drive(192));
    governor
        .ladder
        .regulate(at(10), &over_alert(3.0), drive(180));
    assert!(governor.ladder.targets().locks[ClockDomain::Gpu].is_some());
    governor.steps.up_dwell = Duration::from_secs(40);
    governor
}
