//! The true state of the simulated cards, and limits that another program sets.

use serde_json::Value;

use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant::{Load, State};
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Megahertz, Watts};

use super::observer::Look;
use crate::common::nvml_sim::Machine;

pub(crate) fn set_limit(machine: &Machine, card: usize, limit: Watts) {
    let watts = format!("{:.3}", limit.as_f64());
    machine.ctl(&["limit", "--gpu", &card.to_string(), &watts]);
}

/// The truth, as `nvml-simctl show` tells it.
pub(crate) fn look(truth: &Value, at: f64) -> Look {
    let number = |name: &str| truth[name].as_f64().unwrap();
    let lock = truth["sm_lock_mhz"][1].as_u64();
    Look {
        at,
        state: State {
            die: number("die"),
            sink: number("sink"),
            hbm: truth["hbm"].as_f64().unwrap_or(0.0),
            thermal_speed: number("thermal_speed"),
            ..State::idle_at(&profile::A100_80GB, Celsius::new(number("inlet")))
        },
        conditions: Conditions {
            load: Load {
                power: number("load"),
                compute_bound: number("compute"),
            },
            inlet: Celsius::new(number("inlet")),
            airflow_resistance: number("airflow"),
            hbm_resistance: number("hbm_resistance"),
        },
        limit: Watts::from_f64(number("limit_watts")),
        lock: lock.map(|megahertz| Megahertz::new(u32::try_from(megahertz).unwrap())),
    }
}
