//! The thermal model of one GPU: a die and its heat sink as two thermal masses, the case around them
//! as a third, an HBM stack beside them, fans, leakage, the power/throughput curve, and the driver's
//! own slowdown.
//!
//! ```text
//!  power ──► die (C1) ──R1──► sink (C2) ──R2 × airflow──► inlet air, warmed by the case
//!                               │
//!                               └──► HBM: the sink plus a rise from its own share of the power
//! ```
//!
//! Both simulators use it: the in-process one ([`crate::sim::card`]) and the simulated
//! `libnvidia-ml.so.1`. The policy knows nothing of it; it gets readings.

use std::time::Duration;

use crate::units::{Megahertz, Ratio, Watts};

use super::profile::Profile;
use crate::device::{SlowdownReason, SlowdownReasons};

mod heat;
mod power;
mod state;

pub use power::Meter;
pub use state::{Inputs, Load, State};

/// The longest step. The masses are integrated exactly for a steady draw, so a die may be faster; what
/// the step bounds is how late draw, fans and masses see each other.
const STEP_SECONDS: f64 = 0.1;

/// Draw, clock and work at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    pub draw: Watts,
    /// Relative clock, 1 is the highest.
    pub speed: f64,
    pub gpu_clock: Megahertz,
    pub utilization: Ratio,
    pub slowdown_reasons: SlowdownReasons,
    /// Work per second. 1: nothing limits this load.
    pub throughput: f64,
}

/// Lets `dt` pass, and returns the flow at its end.
pub fn advance(profile: &Profile, state: &mut State, inputs: &Inputs, dt: Duration) -> Flow {
    let mut left = dt.as_secs_f64();
    while left > 0.0 {
        let step = left.min(STEP_SECONDS);
        let flow = flow(profile, state, inputs);
        heat::flow_into(profile, state, inputs, flow.draw.as_f64(), step);
        slow_down(profile, state, step);
        tally(state, inputs, &flow, step);
        left -= step;
    }
    flow(profile, state, inputs)
}

/// The flow now. The clock is the lowest that power limit, lock and thermal slowdown allow.
pub fn flow(profile: &Profile, state: &State, inputs: &Inputs) -> Flow {
    let asked = demand(profile, state, inputs.load);
    let by_limit = profile.curve.throughput(inputs.limit.as_f64() / asked);
    let by_lock = inputs
        .gpu_clock_lock
        .map_or(1.0, |lock| lock.hertz() / profile.gpu_clock_max.hertz());
    let overheated = state.die >= profile.slowdown.degrees();
    // Hardware slowdown halves the clock (NVIDIA MXM datasheets: THERM_ALERT divides by 2).
    let by_heat = if overheated {
        state.thermal_speed * 0.5
    } else {
        state.thermal_speed
    };
    let busy = inputs.load.power > 0.0;
    let speed = by_limit.min(by_lock).min(by_heat).max(profile.slowest());
    let draw = (asked * profile.curve.power(speed)).max(profile.idle_power.as_f64());
    let compute = inputs.load.compute_bound;
    Flow {
        draw: Watts::from_f64(draw),
        speed,
        gpu_clock: if busy {
            profile.gpu_clock_max.scaled(Ratio::new(speed))
        } else {
            profile.gpu_clock_min
        },
        utilization: Ratio::new(if busy { 1.0 } else { 0.0 }),
        slowdown_reasons: reasons(busy, by_limit, by_heat.min(by_lock), state, overheated),
        throughput: if busy {
            1.0 - compute * (1.0 - speed)
        } else {
            0.0
        },
    }
}

/// Draw at full clock: the load's share plus leakage, which grows with the die's temperature.
fn demand(profile: &Profile, state: &State, load: Load) -> f64 {
    let idle = profile.idle_power.as_f64();
    if load.power <= 0.0 {
        return idle;
    }
    let leakage = profile.thermal.leakage_watts_per_degree() * (state.die - LEAKAGE_REFERENCE);
    (profile.default_limit.as_f64() * load.power + leakage * load.power).max(idle)
}

/// The die temperature at which the profile's full-load draw holds.
const LEAKAGE_REFERENCE: f64 = 60.0;

fn reasons(
    busy: bool,
    by_limit: f64,
    by_others: f64,
    state: &State,
    overheated: bool,
) -> SlowdownReasons {
    let none = SlowdownReasons::NONE;
    if !busy {
        return none.with(SlowdownReason::Idle);
    }
    let mut reasons = none;
    if by_limit < 0.999 && by_limit <= by_others {
        reasons = reasons.with(SlowdownReason::SoftwarePowerCap);
    }
    if state.thermal_speed < 0.999 {
        reasons = reasons.with(SlowdownReason::SoftwareThermal);
    }
    if overheated {
        reasons = reasons
            .with(SlowdownReason::HardwareSlowdown)
            .with(SlowdownReason::HardwareThermal);
    }
    reasons
}

/// The driver's software slowdown: above the maximum operating temperature, or above its own target,
/// it lowers the clock step by step, and below it raises the clock again. The rates are chosen: real ones aren't published.
fn slow_down(profile: &Profile, state: &mut State, step: f64) {
    let margin = state.margin(profile);
    let target = profile.slows_at.map(|at| at - state.core());
    let margin = target.map_or(margin, |target| margin.min(target)).degrees();
    if margin <= 0.0 {
        state.thermal_speed -= 0.02 * (1.0 - margin) * step;
    } else if margin > 1.0 {
        state.thermal_speed += 0.05 * step;
    }
    state.thermal_speed = state.thermal_speed.clamp(profile.slowest(), 1.0);
}

fn tally(state: &mut State, inputs: &Inputs, flow: &Flow, step: f64) {
    let power = flow.draw.as_f64();
    state.meter.pass(power, step);
    state.energy_joules += power * step;
    state.work_done += flow.throughput * step;
    state.work_asked += if inputs.load.power > 0.0 { step } else { 0.0 };
    count(state, flow.slowdown_reasons, step);
}

fn count(state: &mut State, reasons: SlowdownReasons, step: f64) {
    let timed = SlowdownReason::TIMED;
    for (seconds, reason) in state.slowdown_seconds.iter_mut().zip(timed) {
        if reasons.contains(reason) {
            *seconds += step;
        }
    }
}

#[cfg(test)]
mod tests;
