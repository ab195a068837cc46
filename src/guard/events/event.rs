//! What happened, as it stands in the log on disk and on the views: one form for all.
//!
//! On disk it is a JSON object on a line. Fields may be added and words may be new in a newer
//! version; a reader takes what it doesn't know for [`What::Unknown`], not for an error.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::Identity;

/// A name of ours, such as a level's. Borrowed where it is made, owned where it was read.
pub type Word = Cow<'static, str>;

/// Something worth telling the operator a week later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Since the Unix epoch; RFC 3339 on disk.
    #[serde(with = "rfc3339")]
    pub time: Duration,
    /// `None`: it is the whole guard's.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuName>,
    #[serde(flatten)]
    pub what: What,
}

/// Both names of a GPU: the one that people use and the one that lasts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GpuName {
    pub gpu: u32,
    pub uuid: String,
}

impl GpuName {
    pub fn of(identity: &Identity) -> Self {
        Self {
            gpu: identity.index,
            uuid: identity.uuid.to_string(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// The guard started. One that never stopped before the next start was killed.
    Started {
        version: Word,
        mode: Word,
        simulated: bool,
        pid: u32,
    },
    Stopped {
        pid: u32,
        /// It never guarded anything: another one holds a GPU that it wanted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
    },
    /// It didn't start, and why: a mistake in its configuration, say.
    StartRefused {
        detail: Word,
    },
    /// A throttle began.
    Throttled(Throttle),
    /// A throttle became an emergency.
    Escalated(Throttle),
    /// No trustworthy temperature: capped.
    Blinded(Throttle),
    /// An emergency became gradual.
    Eased(Seen),
    /// Giving back began.
    Recovering(Seen),
    /// Everything is as it was before.
    Recovered(Outcome),
    /// The guard let go of a throttled GPU: given back, or left capped and journaled.
    Left {
        capped: bool,
    },
    /// `restore` gave back what a dead guard had left, or kept it, and why.
    Restored {
        kept: bool,
        detail: Word,
    },
    /// Something that shouldn't be began, or ended.
    TroubleBegan {
        trouble: Word,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Word>,
    },
    TroubleEnded {
        trouble: Word,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Word>,
        seconds: f64,
    },
    /// A lease began, changed its level or ended.
    Lease(LeaseTurn),
    /// The alert chain's state.
    Chain {
        from: Word,
        to: Word,
    },
    Paused {
        for_seconds: f64,
    },
    Resumed,
    Detached,
    Attached,
    Reloaded {
        ok: bool,
    },
    Xid {
        xid: u64,
        count: u64,
    },
    /// Events that couldn't be written: the log has a hole here.
    Unrecorded {
        count: u64,
    },
    /// A newer guard's.
    #[serde(other)]
    Unknown,
}

/// How a throttle began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    pub level: Word,
    /// `None`: found so, left by a guard before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Word>,
    /// What was reached: `set point`, `alert`, `critical`, `lease`, `no reading`.
    pub why: Word,
    #[serde(flatten)]
    pub seen: Seen,
}

/// How hot it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature_celsius: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_temperature_celsius: Option<f64>,
    /// Smallest over all sensors; negative is past alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_to_alert_celsius: Option<f64>,
}

/// How a throttle went, in the sampling's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// From the throttle's begin until everything was given back.
    pub seconds: f64,
    /// Of them, spent giving back.
    pub recovery_seconds: f64,
    /// Of the core sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest_celsius: Option<f64>,
}

/// What became of a lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseTurn {
    /// `began`, `changed`, `expired`, `ended` (resolved or released) or `evicted`.
    pub turn: Word,
    /// `alert` or `manual`.
    pub source: Word,
    /// Alertmanager's, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub level: Word,
}

/// What shouldn't be, and comes and goes.
pub mod trouble {
    /// Not even the coldest rung holds the GPU under its set point.
    pub const INFEASIBLE: &str = "infeasible";
    /// Somebody else keeps raising the limit.
    pub const CONTESTED: &str = "contested";
    /// Leases are not obeyed: they have held the GPU for `max_hold`.
    pub const OVERHELD: &str = "overheld";
    /// A sensor isn't taken at its word; the detail says why.
    pub const DOUBT: &str = "sensor_doubt";
    /// Nothing can be done for the GPU; the detail says why.
    pub const UNGUARDED: &str = "unguarded";
    /// One of the card's own sensors can't be read or isn't believed: `core: failing`.
    pub const SENSOR: &str = "sensor_fault";
    /// A knob is out of the plan: `power_limit: refused`.
    pub const KNOB: &str = "knob_fault";
    /// A write to the GPU fails; the detail says which, and how.
    pub const ACTION: &str = "action_failing";
    /// What is ours can't be put on disk.
    pub const JOURNAL: &str = "journal_failing";
    /// The GPU doesn't answer.
    pub const GPU_LOST: &str = "gpu_lost";
    /// A call into the driver doesn't come back.
    pub const HUNG: &str = "gpu_hung";
    /// No NVIDIA driver.
    pub const DRIVER_GONE: &str = "driver_gone";
}

mod rfc3339 {
    use std::time::{Duration, UNIX_EPOCH};

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + *at))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let at = humantime::parse_rfc3339(&text).map_err(D::Error::custom)?;
        at.duration_since(UNIX_EPOCH).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_newer_is_unknown() {
        let event = Event {
            time: Duration::from_millis(1_700_000_000_123),
            gpu: Some(GpuName {
                gpu: 1,
                uuid: "GPU-1".to_owned(),
            }),
            what: What::Throttled(Throttle {
                level: "gradual".into(),
                trigger: Some("local".into()),
                why: "set point".into(),
                seen: Seen {
                    temperature_celsius: Some(77.5),
                    memory_temperature_celsius: None,
                    margin_to_alert_celsius: Some(0.5),
                },
            }),
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"time":"2023-11-14T22:13:20.123Z","gpu":1,"uuid":"GPU-1","event":"throttled","level":"gradual","trigger":"local","why":"set point","temperature_celsius":77.5,"margin_to_alert_celsius":0.5}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        let node = r#"{"time":"2023-11-14T22:13:20Z","event":"resumed"}"#;
        let node: Event = serde_json::from_str(node).unwrap();
        assert_eq!((node.gpu, node.what), (None, What::Resumed));
        let newer = r#"{"time":"2023-11-14T22:13:20Z","event":"levitated","height":3}"#;
        let newer: Event = serde_json::from_str(newer).unwrap();
        assert_eq!(newer.what, What::Unknown);
    }
}
