//! The thermal model of one GPU: a die and its heat sink as two thermal masses, an HBM stack beside
//! them, leakage, the power/throughput curve, and the driver's own slowdown.
//!
//! ```text
//!  power ──► die (C1) ──R1──► sink (C2) ──R2 × airflow──► inlet air
//!                               │
//!                               └──► HBM: the sink plus a rise from its own share of the power
//! ```
//!
//! Both simulators stand on it: the in-process one ([`super::sim`]) and the simulated
//! `libnvidia-ml.so.1`. The policy never sees any of this; it sees readings.

use std::time::Duration;

use crate::units::{Celsius, Megahertz, Ratio, Watts};

use super::ClockEvents;
use super::clock_events::CountedEvent;
use super::profile::Profile;

/// Integration step. A twentieth of the fastest time constant (die, about 5 s) and less.
const STEP_SECONDS: f64 = 0.1;

/// What the load asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Load {
    /// Draw at full clock, as a share of the card's default limit, idle power included.
    pub power: f64,
    /// Share of the work that scales with the clock; the rest waits for memory. LLM decode ≈ 0.3.
    pub compute_bound: f64,
}

impl Load {
    pub const IDLE: Self = Self {
        power: 0.0,
        compute_bound: 1.0,
    };
    pub const FULL: Self = Self {
        power: 1.0,
        compute_bound: 1.0,
    };
}

/// Everything that acts on the card from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inputs {
    pub load: Load,
    pub inlet: Celsius,
    /// Factor on the sink-to-air resistance: 1 is as designed, 1.6 a failing fan.
    pub airflow_resistance: f64,
    /// Factor on the rise of the HBM over the sink.
    pub hbm_resistance: f64,
    pub limit: Watts,
    /// Upper end of the SM clock lock.
    pub gpu_clock_lock: Option<Megahertz>,
}

/// The state of the card: plain numbers, so that a file can hold it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct State {
    pub die: f64,
    pub sink: f64,
    pub hbm: f64,
    /// Relative clock the driver's thermal slowdown still allows.
    pub thermal_speed: f64,
    pub energy_joules: f64,
    pub event_seconds: [f64; CountedEvent::ALL.len()],
    /// Work done, in seconds at full speed, and what the load asked for.
    pub work_done: f64,
    pub work_asked: f64,
}

impl State {
    /// A card that has stood idle in air of `inlet`.
    pub fn idle_at(profile: &Profile, inlet: Celsius) -> Self {
        let idle = profile.idle_power.as_f64();
        let sink = inlet.degrees() + idle * profile.thermal.sink_resistance();
        let die = sink + idle * profile.thermal.die_resistance();
        Self {
            die,
            sink,
            hbm: sink,
            thermal_speed: 1.0,
            energy_joules: 0.0,
            event_seconds: [0.0; CountedEvent::ALL.len()],
            work_done: 0.0,
            work_asked: 0.0,
        }
    }

    pub const fn core(&self) -> Celsius {
        Celsius::new(self.die)
    }

    pub fn memory(&self, profile: &Profile) -> Option<Celsius> {
        profile.hbm.is_some().then_some(Celsius::new(self.hbm))
    }

    /// True distance to the maximum operating temperature, over the die and the HBM.
    pub fn margin(&self, profile: &Profile) -> Celsius {
        let core = profile.max_operating - self.core();
        match profile.hbm {
            Some(hbm) => core.min(hbm.max - Celsius::new(self.hbm)),
            None => core,
        }
    }
}

/// What flows at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    pub draw: Watts,
    /// Relative clock, 1 is the highest.
    pub speed: f64,
    pub gpu_clock: Megahertz,
    pub utilization: Ratio,
    pub events: ClockEvents,
    /// Work per second, 1 is this load never limited by anything.
    pub throughput: f64,
}

/// Lets `dt` pass, and says what flows at its end.
pub fn advance(profile: &Profile, state: &mut State, inputs: &Inputs, dt: Duration) -> Flow {
    let mut left = dt.as_secs_f64();
    while left > 0.0 {
        let step = left.min(STEP_SECONDS);
        let flow = flow(profile, state, inputs);
        integrate(profile, state, inputs, &flow, step);
        left -= step;
    }
    flow(profile, state, inputs)
}

/// What flows now: the clock is the lowest of what power limit, lock and thermal slowdown allow.
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
        events: events(busy, by_limit, by_heat, state, overheated),
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

/// Die temperature the profile's full-load draw is given for.
const LEAKAGE_REFERENCE: f64 = 60.0;

fn events(busy: bool, by_limit: f64, by_heat: f64, state: &State, overheated: bool) -> ClockEvents {
    if !busy {
        return ClockEvents::GPU_IDLE;
    }
    let mut events = ClockEvents::default();
    if by_limit < 0.999 && by_limit <= by_heat {
        events = events.union(ClockEvents::SW_POWER_CAP);
    }
    if state.thermal_speed < 0.999 {
        events = events.union(ClockEvents::SW_THERMAL_SLOWDOWN);
    }
    if overheated {
        events = events
            .union(ClockEvents::HW_SLOWDOWN)
            .union(ClockEvents::HW_THERMAL_SLOWDOWN);
    }
    events
}

fn integrate(profile: &Profile, state: &mut State, inputs: &Inputs, flow: &Flow, step: f64) {
    let thermal = &profile.thermal;
    let power = flow.draw.as_f64();
    let to_sink = (state.die - state.sink) / thermal.die_resistance();
    let air = thermal.sink_resistance() * inputs.airflow_resistance;
    let to_air = (state.sink - inputs.inlet.degrees()) / air;
    state.die += (power - to_sink) / thermal.die_capacity() * step;
    state.sink += (to_sink - to_air) / thermal.sink_capacity() * step;
    if let Some(hbm) = profile.hbm {
        let rise =
            hbm.rise.degrees() * inputs.hbm_resistance * power / profile.default_limit.as_f64();
        state.hbm += (state.sink + rise - state.hbm) / HBM_TIME_CONSTANT * step;
    }
    slow_down(profile, state, step);
    state.energy_joules += power * step;
    state.work_done += flow.throughput * step;
    state.work_asked += if inputs.load.power > 0.0 { step } else { 0.0 };
    count(state, flow.events, step);
}

/// Seconds; a V100's HBM plateaus "within about 60 s" of a power step, three time constants.
const HBM_TIME_CONSTANT: f64 = 20.0;

/// The driver's software slowdown: from the maximum operating temperature on it takes clock away
/// step by step, and gives it back below. Rates chosen: real ones aren't published.
fn slow_down(profile: &Profile, state: &mut State, step: f64) {
    let margin = state.margin(profile).degrees();
    if margin <= 0.0 {
        state.thermal_speed -= 0.02 * (1.0 - margin) * step;
    } else if margin > 1.0 {
        state.thermal_speed += 0.05 * step;
    }
    state.thermal_speed = state.thermal_speed.clamp(profile.slowest(), 1.0);
}

fn count(state: &mut State, events: ClockEvents, step: f64) {
    let bits = [
        ClockEvents::SW_POWER_CAP,
        ClockEvents::from_bits(0x10),
        ClockEvents::SW_THERMAL_SLOWDOWN,
        ClockEvents::HW_THERMAL_SLOWDOWN,
        ClockEvents::HW_POWER_BRAKE,
    ];
    for (seconds, bit) in state.event_seconds.iter_mut().zip(bits) {
        if events.contains(bit) {
            *seconds += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::profile;

    fn inputs(profile: &Profile, load: Load, inlet: f64) -> Inputs {
        Inputs {
            load,
            inlet: Celsius::new(inlet),
            airflow_resistance: 1.0,
            hbm_resistance: 1.0,
            limit: profile.default_limit,
            gpu_clock_lock: None,
        }
    }

    fn settle(profile: &Profile, inputs: &Inputs) -> (State, Flow) {
        let mut state = State::idle_at(profile, inputs.inlet);
        let flow = advance(profile, &mut state, inputs, Duration::from_secs(1800));
        (state, flow)
    }

    #[test]
    fn at_rest_heat_in_equals_heat_out() {
        for profile in profile::ALL {
            let inputs = inputs(
                profile,
                Load {
                    power: 0.6,
                    compute_bound: 1.0,
                },
                20.0,
            );
            let (state, flow) = settle(profile, &inputs);
            let expected = 20.0
                + flow.draw.as_f64()
                    * (profile.thermal.die_resistance() + profile.thermal.sink_resistance());
            assert!(
                (state.die - expected).abs() < 0.1,
                "{}: {} {expected}",
                profile.key,
                state.die
            );
        }
    }

    #[test]
    fn every_card_runs_free_in_a_cool_room() {
        for profile in profile::ALL {
            let (state, flow) = settle(profile, &inputs(profile, Load::FULL, 18.0));
            assert!(
                state.margin(profile).degrees() > 9.0,
                "{} {:?}",
                profile.key,
                state.margin(profile)
            );
            assert!(
                flow.throughput > 0.97,
                "{} {}",
                profile.key,
                flow.throughput
            );
        }
    }

    #[test]
    fn a_lower_limit_or_lock_cools() {
        for profile in profile::ALL {
            let free = inputs(profile, Load::FULL, 30.0);
            let capped = Inputs {
                limit: profile.min_limit,
                ..free
            };
            let slow = profile.gpu_clock_max.scaled(Ratio::new(0.6));
            let locked = Inputs {
                gpu_clock_lock: Some(slow),
                ..free
            };
            let (hot, _) = settle(profile, &free);
            assert!(
                settle(profile, &capped).0.die < hot.die - 5.0,
                "{}",
                profile.key
            );
            assert!(
                settle(profile, &locked).0.die < hot.die - 5.0,
                "{}",
                profile.key
            );
        }
    }

    #[test]
    fn the_draw_never_exceeds_the_limit_at_work() {
        for profile in profile::ALL {
            for share in [0.5, 0.7, 0.9, 1.0] {
                let limit = profile
                    .default_limit
                    .scaled(Ratio::new(share))
                    .max(profile.min_limit);
                let (_, flow) = settle(
                    profile,
                    &Inputs {
                        limit,
                        ..inputs(profile, Load::FULL, 30.0)
                    },
                );
                assert!(
                    flow.draw <= limit,
                    "{} {} > {limit}",
                    profile.key,
                    flow.draw
                );
            }
        }
    }

    #[test]
    fn the_driver_saves_itself_and_says_so() {
        let profile = profile::named("a100-80gb").expect("profile");
        let hot = Inputs {
            airflow_resistance: 1.6,
            ..inputs(profile, Load::FULL, 40.0)
        };
        let (state, flow) = settle(profile, &hot);
        assert!(flow.events.contains(ClockEvents::SW_THERMAL_SLOWDOWN));
        assert!(state.die < profile.shutdown.degrees());
        assert!(state.event_seconds[2] > 60.0);
    }
}
