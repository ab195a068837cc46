//! Plants that nobody tuned for: thermal constants over the whole range that real cards are reported to
//! have, and where such a card rests.

use std::time::Duration;

use proptest::prelude::*;

use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant;
use thermal_guard::sim::plant::{Inputs, State};
use thermal_guard::sim::profile::{Profile, Thermal};
use thermal_guard::units::{Celsius, Megahertz, Watts};

/// Rise over the inlet in °C, the die's share of it, and the seconds of the die and of the sink.
pub(crate) type Change = (f64, f64, f64, f64);

/// Reported of passive 250 W cards: 0.17 to 0.26 °C/W in all, 0.05 to 0.10 of it in the die, which
/// answers within 3 to 7 s, the sink within 20 to 120 s.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    (42.0..65.0_f64, 0.2..0.45_f64, 3.0..7.0_f64, 20.0..120.0_f64)
}

pub(crate) fn changed(like: Thermal, change: Change) -> Thermal {
    let (rise, die_share, die_seconds, sink_seconds) = change;
    Thermal {
        rise: Celsius::new(rise),
        die_share,
        die_seconds,
        sink_seconds,
        ..like
    }
}

/// A test's cards live as long as the test: the simulator holds profiles for ever.
pub(crate) fn kept(profile: Profile) -> &'static Profile {
    Box::leak(Box::new(profile))
}

/// Degrees to the card's maximum operating temperature where it rests with this limit and lock.
pub(crate) fn resting_margin(
    profile: &'static Profile,
    conditions: Conditions,
    limit: Watts,
    gpu_clock_lock: Option<Megahertz>,
) -> f64 {
    let mut state = State::idle_at(profile, conditions.inlet);
    let inputs = Inputs {
        load: conditions.load,
        inlet: conditions.inlet,
        airflow_resistance: conditions.airflow_resistance,
        hbm_resistance: conditions.hbm_resistance,
        limit,
        gpu_clock_lock,
    };
    // The slowest case needs five times as long as the slowest sink.
    plant::advance(profile, &mut state, &inputs, Duration::from_secs(3600));
    state.margin(profile).degrees()
}
