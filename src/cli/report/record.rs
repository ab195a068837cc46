//! What the report says, for programs as it is and for people by way of `text`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::guard::events::{GpuName, Throttle};

use super::incident::{Incident, rfc3339};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Record {
    #[serde(serialize_with = "rfc3339")]
    pub(super) since: Duration,
    #[serde(serialize_with = "rfc3339")]
    pub(super) until: Duration,
    /// The oldest event that is left; what was before, nobody knows.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional")]
    pub(super) log_begins: Option<Duration>,
    /// Torn lines.
    pub(super) unreadable_lines: usize,
    /// Events that the guard couldn't write.
    pub(super) unrecorded_events: u64,
    pub(super) guard: Guard,
    pub(super) gpus: Vec<Gpu>,
    /// Oldest first.
    pub(super) incidents: Vec<Incident>,
}

/// The guard itself and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Guard {
    pub(super) starts: u32,
    /// Without a stop before the next start.
    pub(super) deaths: u32,
    pub(super) chain_outages: Spells,
    pub(super) driver_outages: Spells,
    pub(super) detached: Spells,
    pub(super) reloads_refused: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Gpu {
    #[serde(flatten)]
    pub(super) name: GpuName,
    /// Begun or escalated, as `thermal_guard_throttle_events_total` counts them.
    pub(super) throttle_events: u32,
    pub(super) by_trigger: BTreeMap<String, u32>,
    pub(super) emergencies: u32,
    pub(super) recoveries: u32,
    #[serde(serialize_with = "tenths")]
    pub(super) throttled_seconds: f64,
    /// While throttled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hottest_celsius: Option<f64>,
    /// From the trigger until everything was given back.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_tenths"
    )]
    pub(super) mean_seconds_to_recovery: Option<f64>,
    /// By name: `infeasible`, `action_failing`, …
    pub(super) troubles: BTreeMap<String, Spells>,
    pub(super) xids: BTreeMap<u64, u64>,
    pub(super) pauses: u32,
}

/// How often, and for how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Spells {
    pub(super) count: u32,
    #[serde(serialize_with = "tenths")]
    pub(super) seconds: f64,
}

impl Spells {
    pub(super) fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
    }
}

impl Gpu {
    pub(super) fn named(name: GpuName) -> Self {
        Self {
            name,
            throttle_events: 0,
            by_trigger: BTreeMap::new(),
            emergencies: 0,
            recoveries: 0,
            throttled_seconds: 0.0,
            hottest_celsius: None,
            mean_seconds_to_recovery: None,
            troubles: BTreeMap::new(),
            xids: BTreeMap::new(),
            pauses: 0,
        }
    }

    /// What was found from before isn't a new throttle.
    pub(super) fn count(&mut self, throttle: &Throttle) {
        if let Some(trigger) = &throttle.trigger {
            self.throttle_events += 1;
            *self.by_trigger.entry(trigger.to_string()).or_default() += 1;
            self.emergencies += u32::from(throttle.level == "emergency");
        }
    }

    /// A throttle that is over, or has lasted until now.
    pub(super) fn book(&mut self, incident: &Incident) {
        let Some(course) = &incident.throttle else {
            return;
        };
        let seconds = incident.seconds.unwrap_or(0.0);
        self.throttled_seconds += (seconds - course.recovery_seconds).max(0.0);
        self.hottest_celsius = match (self.hottest_celsius, course.hottest_celsius) {
            (Some(before), Some(now)) => Some(before.max(now)),
            (before, now) => before.or(now),
        };
        if course.recovered {
            let before = self.mean_seconds_to_recovery.unwrap_or(0.0);
            self.recoveries += 1;
            let mean = before + (seconds - before) / f64::from(self.recoveries);
            self.mean_seconds_to_recovery = Some(mean);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) fn tenths<S: Serializer>(seconds: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64((seconds * 10.0).round() / 10.0)
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
pub(super) fn some_tenths<S: Serializer>(seconds: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => tenths(seconds, to),
        None => to.serialize_none(),
    }
}

#[expect(clippy::ref_option, reason = "as serde calls it")]
fn optional<S: Serializer>(at: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => rfc3339(at, to),
        None => to.serialize_none(),
    }
}
