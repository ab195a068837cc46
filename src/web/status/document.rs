//! The status document: what an operator wants to know, in the words of the configuration. Read
//! by the status page and by `thermal-guard status`; absent values are left out.

use serde::{Deserialize, Serialize};

use crate::guard::events::Event;
use crate::policy::ChainState;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    pub version: String,
    /// What the machine calls itself.
    pub node: String,
    /// All that an alert may call it: that, its names by the configuration, its addresses.
    pub names: Vec<String>,
    /// `enforce` or `observe`.
    pub mode: String,
    pub simulated: bool,
    /// Seconds since the Unix epoch.
    pub time: f64,
    pub chain: Chain,
    pub driver: Driver,
    pub gpus: Vec<Gpu>,
    pub apps: Vec<App>,
    /// The last ones, oldest first.
    pub events: Vec<Event>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Chain {
    pub state: String,
    /// One is promised.
    pub expected: bool,
    /// Promised and away.
    pub fallback: bool,
    pub timeout_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_age_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scrape_age_seconds: Option<f64>,
    /// What the last heartbeat for this guard called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What one for another guard called that, where none has been for this one since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_instance: Option<String>,
}

impl Chain {
    /// Heartbeats come, and none for this guard: whom they are for.
    pub fn misses(&self) -> Option<&str> {
        let others = self.other_instance.as_deref();
        others.filter(|_| self.state != ChainState::Ok.name())
    }
}

/// What this node is called, and what heartbeats call theirs, as a sentence.
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
    /// An operator had the guard let go of it.
    pub detached: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a light on the board of its own"
)]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    pub uuid: String,
    /// Left out where the card is gone, and another has got its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    pub name: String,
    pub up: bool,
    /// Of the last tick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    #[serde(flatten)]
    pub now: Readings,
    /// Of the last hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<Hour>,
    pub limit: Limit,
    pub state: String,
    pub level: String,
    pub why: String,
    /// Why nothing can be done for it, in a word; left out while something can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded: Option<String>,
    /// What is known of each.
    pub sensors: Vec<Sensor>,
    pub knobs: Vec<Knob>,
    /// Who brought the present throttle about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// For how long the state has lasted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_age_seconds: Option<f64>,
    /// For how long something of the guard's, or of one before it, has been on the GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_for_seconds: Option<f64>,
    pub asks: Asks,
    pub leases: Vec<Lease>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_for_seconds: Option<f64>,
    pub permission: String,
    pub infeasible: bool,
    pub contested: bool,
    pub overheld: bool,
    pub throttle_events: u64,
    pub recoveries: u64,
    pub throttled_seconds: ByLevel,
}

/// Gone while the card doesn't answer.
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
    pub trips: Option<TripPoints>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_draw_watts: Option<f64>,
    pub clock_events: Vec<String>,
}

/// First the configured ones, then the card's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sensor {
    pub name: String,
    /// `working`, `failing`, `doubted` or `absent`.
    pub state: String,
    /// What it does, where that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of a configured one; left out while it can't be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub celsius: Option<f64>,
    /// Of a configured one.
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
    /// `working`, `unproven`, `refused`, `ineffective` or `absent`.
    pub state: String,
    /// What it does, where that is wrong.
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
    /// What will be given back.
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
    pub local: String,
    pub alert: String,
    pub manual: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lease {
    /// `alert` or `manual`.
    pub holder: String,
    /// The alert's name, as its sender wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// As Alertmanager prints it, to be looked up there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub level: String,
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
    pub mode: String,
    pub ok: u64,
    pub failed: u64,
    /// Why its `env_file` can't be written, and what helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
