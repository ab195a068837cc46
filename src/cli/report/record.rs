//! The report's data: printed as JSON for programs, and by `text` for people.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::events::{GpuName, Throttle};
use crate::policy::Level;

use super::format::{optional_rfc3339, rfc3339, some_tenths, tenths};
use super::incident::Incident;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    #[serde(serialize_with = "rfc3339")]
    pub(crate) since: Duration,
    #[serde(serialize_with = "rfc3339")]
    pub(crate) until: Duration,
    /// Time of the oldest event in the log; nothing is known about earlier times.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "optional_rfc3339"
    )]
    pub(crate) log_begins: Option<Duration>,
    /// Torn lines.
    pub(crate) unreadable_lines: usize,
    /// Events that the guard couldn't write.
    pub(crate) unrecorded_events: u64,
    pub(crate) guard: Guard,
    pub(crate) gpus: Vec<Gpu>,
    /// Oldest first.
    pub(crate) incidents: Vec<Incident>,
}

/// The guard itself and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Guard {
    pub(crate) starts: u32,
    /// Starts without a preceding stop.
    pub(crate) deaths: u32,
    pub(crate) chain_outages: Spells,
    pub(crate) driver_outages: Spells,
    pub(crate) detached: Spells,
    pub(crate) reloads_refused: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Gpu {
    #[serde(flatten)]
    pub(crate) name: GpuName,
    /// Begun or escalated, as `thermal_guard_throttle_events_total` counts them.
    pub(crate) throttle_events: u32,
    pub(crate) by_trigger: BTreeMap<String, u32>,
    pub(crate) emergencies: u32,
    pub(crate) recoveries: u32,
    #[serde(serialize_with = "tenths")]
    pub(crate) throttled_seconds: f64,
    /// While throttled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hottest_celsius: Option<f64>,
    /// Of some throttle, how hot it got isn't known, or not yet.
    #[serde(skip)]
    pub(crate) hottest_is_least: bool,
    /// From the trigger until everything was restored.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "some_tenths"
    )]
    pub(crate) mean_seconds_to_recovery: Option<f64>,
    /// Time with work to do during those throttles that say it, and the work that they took, in seconds
    /// at the full clock.
    #[serde(serialize_with = "tenths")]
    pub(crate) work_asked_seconds: f64,
    #[serde(serialize_with = "tenths")]
    pub(crate) work_lost_seconds: f64,
    /// The same of those throttles of which it is known what the card's own slowdown would have taken,
    /// if no guard had been there.
    #[serde(serialize_with = "tenths")]
    pub(crate) unguarded_work_asked_seconds: f64,
    #[serde(serialize_with = "tenths")]
    pub(crate) unguarded_work_lost_seconds: f64,
    /// By the card itself, while the guard held nothing.
    pub(crate) own_slowdowns: Spells,
    /// During those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) own_hottest_celsius: Option<f64>,
    /// By name: `infeasible`, `action_failing`, …
    pub(crate) troubles: BTreeMap<String, Spells>,
    pub(crate) xids: BTreeMap<u64, u64>,
    pub(crate) pauses: u32,
}

/// How often, and for how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spells {
    pub(crate) count: u32,
    #[serde(serialize_with = "tenths")]
    pub(crate) seconds: f64,
}

impl Spells {
    pub(crate) fn add(&mut self, seconds: f64) {
        self.count += 1;
        self.seconds += seconds;
    }
}

impl Gpu {
    pub(crate) fn named(name: GpuName) -> Self {
        Self {
            name,
            throttle_events: 0,
            by_trigger: BTreeMap::new(),
            emergencies: 0,
            recoveries: 0,
            throttled_seconds: 0.0,
            hottest_celsius: None,
            hottest_is_least: false,
            mean_seconds_to_recovery: None,
            work_asked_seconds: 0.0,
            work_lost_seconds: 0.0,
            unguarded_work_asked_seconds: 0.0,
            unguarded_work_lost_seconds: 0.0,
            own_slowdowns: Spells::default(),
            own_hottest_celsius: None,
            troubles: BTreeMap::new(),
            xids: BTreeMap::new(),
            pauses: 0,
        }
    }

    /// A throttle that was taken over from an earlier guard isn't a new one.
    pub(crate) fn count(&mut self, throttle: &Throttle) {
        if let Some(trigger) = &throttle.trigger {
            self.throttle_events += 1;
            *self.by_trigger.entry(trigger.to_string()).or_default() += 1;
            self.emergencies += u32::from(throttle.level == Level::Emergency);
        }
    }

    /// Adds a throttle that has ended, or has lasted until now.
    pub(crate) fn book(&mut self, incident: &Incident) {
        let Some(course) = &incident.throttle else {
            return;
        };
        let seconds = incident.seconds.unwrap_or(0.0);
        self.throttled_seconds += (seconds - course.recovery_seconds).max(0.0);
        self.hottest_celsius = hotter(self.hottest_celsius, course.hottest_celsius);
        self.hottest_is_least |= !course.tells_hottest();
        if let Some(asked) = course.cost.work_asked_seconds {
            self.work_asked_seconds += asked;
            self.work_lost_seconds += asked * course.cost.work_lost_ratio.unwrap_or(0.0);
            if let Some(ratio) = course.cost.unguarded_work_lost_ratio {
                self.unguarded_work_asked_seconds += asked;
                self.unguarded_work_lost_seconds += asked * ratio;
            }
        }
        if course.recovered {
            let before = self.mean_seconds_to_recovery.unwrap_or(0.0);
            self.recoveries += 1;
            let mean = before + (seconds - before) / f64::from(self.recoveries);
            self.mean_seconds_to_recovery = Some(mean);
        }
    }
}

/// The higher of two temperatures that may be unknown.
pub(crate) fn hotter(before: Option<f64>, now: Option<f64>) -> Option<f64> {
    match (before, now) {
        (Some(before), Some(now)) => Some(before.max(now)),
        (before, now) => before.or(now),
    }
}
