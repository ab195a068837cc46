//! Where the heat of a step goes: die, sink, case, air and HBM.

use crate::sim::profile::Profile;
use crate::units::Celsius;

use super::state::{Inputs, State};

/// Seconds; a V100's HBM plateaus "within about 60 s" of a power step, three time constants.
const HBM_TIME_CONSTANT: f64 = 20.0;

/// Lets a steady `power` flow for `step` seconds. Each mass goes its exponential way to where it would
/// rest, so no time constant is too short for the step; what left the die is what the sink gets.
pub(super) fn flow_into(
    profile: &Profile,
    state: &mut State,
    inputs: &Inputs,
    power: f64,
    step: f64,
) {
    let thermal = &profile.thermal;
    turn_fans(profile, state, step);
    let rests = state.sink + power * thermal.die_resistance();
    let die = toward(state.die, rests, step / thermal.die_seconds);
    let to_sink = power - (die - state.die) * thermal.die_capacity() / step;
    state.die = die;

    let air = thermal.airflow.resistance(state.fan) * inputs.airflow_resistance;
    let around = inputs.inlet.degrees() + state.case;
    let rests = around + to_sink * thermal.sink_resistance() * air;
    state.sink = toward(state.sink, rests, step / (thermal.sink_seconds * air));

    if thermal.case_share > 0.0 {
        let air = thermal.airflow.case_resistance(state.fan);
        let rests = power * thermal.case_resistance() * air;
        state.case = toward(state.case, rests, step / (thermal.case_seconds * air));
    }
    if let Some(hbm) = profile.hbm {
        let share = power / profile.default_limit.as_f64();
        let rise = hbm.rise.degrees() * inputs.hbm_resistance * share;
        state.hbm = toward(state.hbm, state.sink + rise, step / HBM_TIME_CONSTANT);
    }
}

fn turn_fans(profile: &Profile, state: &mut State, step: f64) {
    let airflow = &profile.thermal.airflow;
    if airflow.is_steady() {
        return;
    }
    state.fan = if state.fan_held > 0.0 {
        state.fan_held
    } else {
        airflow.next_speed(state.fan, Celsius::new(state.die), step)
    };
}

/// From `value` towards `rest`, for so many time constants.
fn toward(value: f64, rest: f64, constants: f64) -> f64 {
    rest + (value - rest) * (-constants).exp()
}
