//! An event, as it is in the log on disk and in the views.
//!
//! On disk it is a JSON object on a line. A newer version may add fields and words. A reader keeps a
//! word that it doesn't know, and reads an unknown event as [`What::Unknown`], not as an error.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Mode;
use crate::device::Identity;
use crate::policy::ask::lease::Turn;
use crate::policy::{ChainState, Level, Trigger};

use super::trouble::Trouble;
use super::word::{Source, Why, Word};

/// Words for people. Borrowed where they are made, owned where they were read.
pub type Text = Cow<'static, str>;

/// An event that an operator may want to know about a week later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Since the Unix epoch; RFC 3339 on disk.
    #[serde(with = "rfc3339")]
    pub time: Duration,
    /// `None`: an event of the whole guard.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuName>,
    #[serde(flatten)]
    pub what: What,
}

/// Both names of a GPU: the index that people use, and the UUID that never changes.
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
    /// The guard started. If no `Stopped` comes before the next start, it was killed.
    Started {
        version: Text,
        mode: Word<Mode>,
        simulated: bool,
        pid: u32,
    },
    Stopped {
        pid: u32,
        /// It couldn't go on: another guard has a GPU that it wanted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
    },
    /// The guard didn't start, and why: a mistake in its configuration, for example.
    StartRefused {
        detail: Text,
    },
    /// A throttle began.
    Throttled(Throttle),
    /// A throttle became an emergency.
    Escalated(Throttle),
    /// No trustworthy temperature: capped.
    Blinded(Throttle),
    /// An emergency became gradual.
    Eased(Seen),
    /// The guard began to give back.
    Recovering(Seen),
    /// Everything is as it was before.
    Recovered(Outcome),
    /// The card began to slow itself down for heat, while the guard held nothing.
    SlowedItself(SlowedItself),
    /// It no longer does, or the guard has taken over.
    SlowedItselfEnded(Outcome),
    /// The guard let go of a throttled GPU: it gave everything back, or left the GPU capped and the
    /// claim in the journal.
    Left {
        capped: bool,
    },
    /// `restore` gave back what a dead guard had left, or kept it, and why.
    Restored {
        kept: bool,
        detail: Text,
    },
    /// A fault began, or ended.
    TroubleBegan {
        trouble: Word<Trouble>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Text>,
    },
    TroubleEnded {
        trouble: Word<Trouble>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Text>,
        seconds: f64,
    },
    /// A lease began, changed its level or ended.
    Lease(LeaseTurn),
    /// The alert chain changed its state.
    Chain {
        from: Word<ChainState>,
        to: Word<ChainState>,
    },
    Paused {
        for_seconds: f64,
    },
    Resumed,
    Detached,
    Attached,
    /// `detail`: why it was refused.
    Reloaded {
        ok: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Text>,
    },
    Xid {
        xid: u64,
        count: u64,
    },
    /// Some events couldn't be written: they are missing here.
    Unrecorded {
        count: u64,
    },
    /// An event that only a newer guard knows.
    #[serde(other)]
    Unknown,
}

/// How a throttle began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Throttle {
    pub level: Word<Level>,
    /// `None`: a guard before this one had left it throttled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Word<Trigger>>,
    pub why: Word<Why>,
    #[serde(flatten)]
    pub seen: Seen,
}

/// The temperatures at an event.
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

/// How a slowdown by the card itself began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowedItself {
    /// The target of its firmware, if that is where it acts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_celsius: Option<f64>,
    #[serde(flatten)]
    pub seen: Seen,
}

/// A whole throttle, in the time of the sampling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// From the throttle's begin until everything was given back.
    pub seconds: f64,
    /// The part of them that was spent giving back.
    pub recovery_seconds: f64,
    /// Of the core sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest_celsius: Option<f64>,
    #[serde(flatten)]
    pub cost: Cost,
}

/// What a throttle cost, as shares of the work that was asked for meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// Time with work to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_asked_seconds: Option<f64>,
    /// By the clock, if all of the work follows it, and if as little does as of any known load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_lost_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_lost_least_ratio: Option<f64>,
    /// What the card's own slowdown would have taken without the guard, and the range of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded_work_lost_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded_work_lost_least_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded_work_lost_most_ratio: Option<f64>,
    /// The core would have been this hot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unguarded_hottest_celsius: Option<f64>,
}

/// A change of a lease.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeaseTurn {
    pub turn: Word<Turn>,
    pub source: Word<Source>,
    /// The alert's name, as its sender chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Alertmanager's fingerprint, as 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub level: Word<Level>,
}

mod rfc3339 {
    use std::time::{Duration, UNIX_EPOCH};

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + *at))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        let at = humantime::parse_rfc3339(&text).map_err(D::Error::custom)?;
        at.duration_since(UNIX_EPOCH).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_event_is_read_and_a_newer_kind_of_event_is_unknown() {
        let event = Event {
            time: Duration::from_millis(1_700_000_000_123),
            gpu: Some(GpuName {
                gpu: 1,
                uuid: "GPU-1".to_owned(),
            }),
            what: What::Throttled(Throttle {
                level: Level::Gradual.into(),
                trigger: Some(Trigger::Local.into()),
                why: Why::SetPoint.into(),
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
