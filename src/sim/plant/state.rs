//! The load and the air around a card, and its state.

use crate::device::SlowdownReason;
use crate::sim::profile::Profile;
use crate::units::{Celsius, Megahertz, Watts};

use super::power::Meter;

/// The demand of the load.
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

/// All outside influences on the card.
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

/// The state of the card: plain numbers, so that it can be stored in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct State {
    pub die: f64,
    pub sink: f64,
    pub hbm: f64,
    /// What the case adds to the inlet.
    pub case: f64,
    /// The speed of the fans, as a share of the highest, where the profile has fans that cool.
    pub fan: f64,
    /// The speed that a program or a fault holds them at. 0: none.
    pub fan_held: f64,
    pub meter: Meter,
    /// The relative clock that the driver's thermal slowdown still allows.
    pub thermal_speed: f64,
    pub energy_joules: f64,
    pub slowdown_seconds: [f64; SlowdownReason::TIMED.len()],
    /// The work done, in seconds at full speed, and the work that the load asked for.
    pub work_done: f64,
    pub work_asked: f64,
}

impl State {
    /// A card that has stood idle in air of `inlet`.
    pub fn idle_at(profile: &Profile, inlet: Celsius) -> Self {
        let idle = profile.idle_power.as_f64();
        let thermal = &profile.thermal;
        let fan = thermal.airflow.resting_speed(inlet);
        let sink = inlet.degrees() + thermal.sink_rise(idle, fan, 1.0);
        let die = sink + idle * thermal.die_resistance();
        Self {
            die,
            sink,
            hbm: sink,
            case: idle * thermal.case_resistance() * thermal.airflow.case_resistance(fan),
            fan,
            fan_held: 0.0,
            meter: Meter::steady(idle),
            thermal_speed: 1.0,
            energy_joules: 0.0,
            slowdown_seconds: [0.0; SlowdownReason::TIMED.len()],
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
