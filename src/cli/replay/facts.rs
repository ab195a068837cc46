//! The facts that a guard would have of a recorded card, and its reading at each sample.

use crate::device::{Facts, Fan, Missing, PowerConstraints, Reading};
use crate::recording::{Card, Sample};
use crate::units::{Celsius, Watts};

/// A card's lowest limit, as a share of its default, where the recording doesn't tell it.
const LEAST_LIMIT: f64 = 0.4;

/// The facts of a recorded card. `default_limit`: as the user gave it.
pub(super) fn of(card: &Card, default_limit: Option<Watts>) -> Facts {
    let default = default_limit.or(card.default_limit).or(card.highest_draw());
    let power = default.filter(|it| it.milliwatts() > 0).map(|default| {
        let least = Watts::from_f64(default.as_f64() * LEAST_LIMIT);
        PowerConstraints {
            default,
            min: card.min_limit.unwrap_or(least).min(default),
            max: card.max_limit.unwrap_or(default).max(default),
        }
    });
    Facts {
        power,
        ..Facts::default()
    }
}

/// What the driver would have told. Drivers tell whole degrees.
pub(super) fn reading(sample: &Sample, facts: &Facts) -> Reading {
    let none = Missing::NotSupported;
    let whole = |it: Option<Celsius>| it.map(|it| Celsius::new(it.degrees().round())).ok_or(none);
    let default = facts.power.map(|power| power.default);
    let mut reading = Reading {
        core: whole(sample.core),
        memory: whole(sample.memory),
        margin: whole(sample.margin),
        draw: sample.draw.ok_or(none),
        limit: sample.limit.or(default).ok_or(none),
        gpu_clock: sample.clock.ok_or(none),
        utilization: sample.utilization.ok_or(none),
        ..Reading::missing(sample.at, none)
    };
    reading.slow.fans.extend(sample.fan.map(|speed| Fan {
        speed: Some(speed),
        ..Fan::default()
    }));
    reading.plausible(facts)
}
