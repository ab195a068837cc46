//! Cards that nobody tuned for: a known one as it is, or with masses drawn over what was recorded.

use std::time::Duration;

use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant::{self, Inputs, Load, State};
use thermal_guard::sim::profile::{self, LimitOffer, Profile, Thermal};
use thermal_guard::units::{Celsius, Watts};

use crate::any_plant::kept;
use crate::common::dice::Dice;
use crate::common::virtual_node::room;

pub(super) fn any_card(dice: &mut Dice) -> &'static Profile {
    let settable = profile::KNOWN.iter();
    let settable = settable.filter(|it| it.limit == LimitOffer::Settable);
    let settable: Vec<_> = settable.copied().collect();
    let like = settable[dice.index(settable.len())];
    if dice.one_in(3) {
        return like;
    }
    let rise = dice.between(30.0, 75.0);
    let case_share = dice.between(-0.4, 0.4).max(0.0);
    let die_rise = dice.between(6.0, 24.0);
    let thermal = Thermal {
        rise: Celsius::new(rise),
        case_share,
        die_share: (die_rise / (rise * (1.0 - case_share))).min(0.6),
        die_seconds: dice.between(0.1, 7.0),
        sink_seconds: dice.between(15.0, 110.0),
        case_seconds: dice.between(150.0, 600.0),
        ..like.thermal
    };
    kept(Profile {
        thermal,
        ..like.clone()
    })
}

/// A load that draws this share of the default limit at the full clock.
pub(super) const fn load(power: f64) -> Load {
    Load {
        power,
        compute_bound: 1.0,
    }
}

pub(super) const fn around(load: Load, inlet: f64, airflow_resistance: f64) -> Conditions {
    Conditions {
        load,
        airflow_resistance,
        ..room(Celsius::new(inlet))
    }
}

/// Degrees to the maximum operating temperature where the card rests, and its draw there.
pub(super) fn rests(profile: &Profile, conditions: Conditions, limit: f64) -> (f64, f64) {
    let mut state = State::idle_at(profile, conditions.inlet);
    let inputs = Inputs {
        load: conditions.load,
        inlet: conditions.inlet,
        airflow_resistance: conditions.airflow_resistance,
        hbm_resistance: conditions.hbm_resistance,
        limit: Watts::from_f64(limit),
        gpu_clock_lock: None,
    };
    let flow = plant::advance(profile, &mut state, &inputs, Duration::from_secs(2400));
    (state.margin(profile).degrees(), flow.draw.as_f64())
}

/// Where a falling function passes `wanted`.
pub(super) fn where_it_falls_to(
    wanted: f64,
    (mut low, mut high): (f64, f64),
    value: impl Fn(f64) -> f64,
) -> f64 {
    for _ in 0..12 {
        let middle = f64::midpoint(low, high);
        if value(middle) > wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Jobs of half a minute to twenty minutes.
#[derive(Default)]
pub(super) struct Jobs {
    power: f64,
    seconds_left: u64,
}

impl Jobs {
    /// The power of the next second, between those two shares of the default limit, or none.
    pub(super) fn next(&mut self, (low, high): (f64, f64), dice: &mut Dice) -> f64 {
        if self.seconds_left == 0 {
            self.seconds_left = 30 + dice.below(40) * dice.below(30);
            self.power = if dice.one_in(5) {
                0.0
            } else {
                dice.between(low, high)
            };
        }
        self.seconds_left = self.seconds_left.saturating_sub(1);
        self.power
    }
}
