//! The status document, in the words of the configuration. The status page is made of it, and
//! `thermal-guard status` and `check` read it. A value that is absent is left out.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::config::Mode;
use crate::events::{Cost, Event};
use crate::guard::Permission;
use crate::policy::{ChainState, Doubt, KnobState, Level, SensorState, State, Trigger, Unguarded};
use crate::web::snapshot::Told;

use super::or_unknown::OrUnknown;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    /// The machine's own name.
    pub node: String,
    /// All names by which an alert may call it: its own, those of the configuration, its addresses.
    pub names: Vec<String>,
    pub mode: OrUnknown<Mode>,
    pub simulated: bool,
    /// Seconds since the Unix epoch.
    pub time: f64,
    /// Left out if the guard has no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Configuration>,
    pub chain: Chain,
    #[serde(default = "Driver::unmentioned")]
    pub driver: Driver,
    /// How many GPUs should be under guard.
    pub gpus_expected: usize,
    pub gpus: Vec<Gpu>,
    pub apps: Vec<App>,
    /// The last ones, oldest first. A reader skips those of kinds that it doesn't know.
    #[serde(deserialize_with = "known_events")]
    pub events: Vec<Event>,
}

fn known_events<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Event>, D::Error> {
    let events = Vec::<Value>::deserialize(deserializer)?.into_iter();
    Ok(events
        .filter_map(|event| serde_json::from_value(event).ok())
        .collect())
}

/// The configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Configuration {
    pub file: String,
    /// When it was read, in seconds since the Unix epoch.
    pub read_time: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    pub state: OrUnknown<ChainState>,
    /// What is wrong with it, and where to look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The configuration promises an alert chain, or one was heard.
    pub expected: bool,
    /// Expected and away.
    pub fallback: bool,
    pub timeout_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_age_seconds: Option<f64>,
    /// The name of this guard in the last heartbeat for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The name of another guard in a heartbeat, if none has come for this guard since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_instance: Option<String>,
}

impl Chain {
    /// Of a guard that doesn't tell the fault itself: as far as the state tells it.
    pub fn fault(&self) -> Option<&str> {
        let by_state = || self.state.known().and_then(ChainState::fault);
        self.fault.as_deref().or_else(by_state)
    }

    /// The guard that heartbeats are for, if none of them is for this one.
    pub fn misses(&self) -> Option<&str> {
        let others = self.other_instance.as_deref();
        others.filter(|_| self.state != ChainState::Ok)
    }
}

/// A sentence about heartbeats that are for another guard.
pub fn misheard(others: &str, names: &[String]) -> String {
    let names = names.join(", ");
    format!(
        "heartbeats come for {others} and none for this guard ({names}): if that is this node, put its name under node.names"
    )
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Driver {
    pub up: bool,
    /// The guard has released it because an operator asked for that.
    pub detached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Driver {
    /// A document that says nothing of the driver doesn't say that it is gone.
    fn unmentioned() -> Self {
        Self {
            up: true,
            ..Self::default()
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is shown by itself")]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    pub uuid: String,
    /// Left out if the card is gone and another card now has its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    pub pci_bus_id: String,
    pub name: String,
    pub up: bool,
    /// Age of the last tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    #[serde(flatten)]
    pub now: Readings,
    /// Temperatures of the last hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Hour>,
    pub limit: Limit,
    pub state: OrUnknown<State>,
    pub level: OrUnknown<Level>,
    pub why: String,
    /// Why the guard can do nothing for it, in a word; left out while it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded: Option<OrUnknown<Unguarded>>,
    /// Why the sensors aren't fully trusted, in a word; left out while they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<OrUnknown<Doubt>>,
    pub sensors: Vec<Sensor>,
    pub knobs: Vec<Knob>,
    pub firmware: Firmware,
    pub cooling: Cooling,
    /// What the present throttle has cost so far, or the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Cost>,
    /// Those that the card tells of; left out while it tells of none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fans: Vec<Fan>,
    /// The cause of the present throttle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<OrUnknown<Trigger>>,
    /// How long the state has lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_age_seconds: Option<f64>,
    /// How long a limit or lock of this guard, or of one before it, has been on the GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_for_seconds: Option<f64>,
    pub asks: Asks,
    pub leases: Vec<Lease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_for_seconds: Option<f64>,
    pub permission: OrUnknown<Permission>,
    pub infeasible: bool,
    pub contested: bool,
    pub overheld: bool,
    pub throttle_events: u64,
    pub recoveries: u64,
    pub throttled_seconds: ByLevel,
}

/// They are gone while the card doesn't answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Readings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_alert_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_critical_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_safe_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trips: Option<TripPoints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_draw_watts: Option<f64>,
    pub clock_events: Vec<String>,
}

/// A sensor: the extra ones of the configuration come first, then the card's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sensor {
    pub name: String,
    pub state: OrUnknown<SensorState>,
    /// The fault, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of an extra sensor; left out while it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Of an extra sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_celsius: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Knob {
    /// `power_limit`, `gpu_clock`, `memory_clock` or `fan`.
    pub name: String,
    pub state: OrUnknown<KnobState>,
    /// The fault, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What the card does about heat by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Firmware {
    /// It acts before the guard, at this temperature of the core; left out if the guard acts first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acts_first_celsius: Option<f64>,
    /// A target that it names and doesn't keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignores_celsius: Option<f64>,
    /// It slows itself down for heat now, and the guard holds nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slowed_for_seconds: Option<f64>,
    /// Since the guard started.
    pub slowdowns: u64,
    pub slowdown_seconds: f64,
}

/// How well the card is cooled. What isn't known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cooling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resistance_kelvin_per_watt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_kelvin_per_watt: Option<f64>,
    /// The resistance over the baseline, and that over the neighbours'.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neighbours_change_ratio: Option<f64>,
    /// It cools clearly worse: `before`, `neighbours`, or both.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub worse_than: Vec<String>,
    /// What it can draw for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sustainable_watts: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fan {
    /// As NVML counts them, from 0.
    pub index: usize,
    /// The intended speed as a share of the maximum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u32>,
    /// The fault, in a word and in words, if it is suspect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TripPoints {
    pub alert_celsius: f64,
    pub critical_celsius: f64,
    pub safe_celsius: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hour {
    pub max_celsius: f64,
    pub mean_celsius: f64,
}

/// Watts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limit {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<f64>,
    /// The limit that the guard will give back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asks {
    pub local: OrUnknown<Level>,
    pub alert: OrUnknown<Level>,
    pub manual: OrUnknown<Level>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// `alert` or `manual`.
    pub holder: String,
    /// The alert's name, as its sender wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// As Alertmanager prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub level: OrUnknown<Level>,
    pub age_seconds: f64,
    pub expires_in_seconds: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ByLevel {
    pub gradual: f64,
    pub emergency: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    pub name: String,
    pub mode: OrUnknown<Told>,
    pub ok: u64,
    pub failed: u64,
    /// The last try to tell it something, or to ask its `health_url`, failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failing: bool,
    /// Whether it has answered its `health_url` since it was told something; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub well: Option<bool>,
    /// Why its `env_file` can't be written, and the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
