//! The file's form. Its times are the wall's, as the guard's own clock ends with it.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::Uuid;
use crate::policy::Level;

const VERSION: u32 = 1;

/// No lease and no pause is longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    saved_unix_seconds: f64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leases: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pauses: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heartbeat_unix_seconds: Option<f64>,
    #[serde(default)]
    pub detached: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    uuid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    ends_unix_seconds: f64,
}

/// An operator's word about a GPU, and how long it has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    pub uuid: Uuid,
    pub what: T,
    pub left: Duration,
}

impl Record {
    /// As it is `now`, since the Unix epoch.
    pub fn new(
        now: Duration,
        leases: &[Kept<Level>],
        pauses: &[Kept<()>],
        heartbeat: Option<Duration>,
        detached: bool,
    ) -> Self {
        let entry = |uuid: &Uuid, level: Option<Level>, left: Duration| Entry {
            uuid: uuid.to_string(),
            level: level.map(|level| level.name().to_owned()),
            ends_unix_seconds: (now + left).as_secs_f64(),
        };
        let leases = leases
            .iter()
            .map(|it| entry(&it.uuid, Some(it.what), it.left));
        let pauses = pauses.iter().map(|it| entry(&it.uuid, None, it.left));
        Self {
            version: VERSION,
            saved_unix_seconds: now.as_secs_f64(),
            leases: leases.collect(),
            pauses: pauses.collect(),
            heartbeat_unix_seconds: heartbeat.map(|at| at.as_secs_f64()),
            detached,
        }
    }

    pub(super) fn parse(text: &[u8]) -> io::Result<Self> {
        let record: Self = serde_json::from_slice(text)?;
        if record.version == VERSION {
            return Ok(record);
        }
        let version = record.version;
        Err(io::Error::other(format!(
            "version {version}, this guard knows {VERSION}"
        )))
    }

    /// The operators' leases that still have time.
    pub fn leases(&self, now: Duration) -> Vec<Kept<Level>> {
        let levels = [Level::Gradual, Level::Emergency];
        let kept = self.leases.iter().filter_map(|entry| {
            let named = |level: &Level| entry.level.as_deref() == Some(level.name());
            let level = levels.into_iter().find(named)?;
            self.kept(entry, now, level)
        });
        kept.collect()
    }

    pub fn pauses(&self, now: Duration) -> Vec<Kept<()>> {
        let kept = self.pauses.iter();
        kept.filter_map(|entry| self.kept(entry, now, ())).collect()
    }

    /// How long ago the last heartbeat was.
    pub fn heartbeat_age(&self, now: Duration) -> Option<Duration> {
        let at = Duration::try_from_secs_f64(self.heartbeat_unix_seconds?).ok()?;
        Some(now.saturating_sub(at))
    }

    /// A clock that went back since must not make anything longer than it was.
    fn kept<T>(&self, entry: &Entry, now: Duration, what: T) -> Option<Kept<T>> {
        let from = self.saved_unix_seconds.max(now.as_secs_f64());
        let left = Duration::try_from_secs_f64(entry.ends_unix_seconds - from).ok()?;
        (!left.is_zero()).then(|| Kept {
            uuid: Uuid::new(&entry.uuid),
            what,
            left: left.min(LONGEST),
        })
    }
}
