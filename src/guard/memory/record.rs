//! The file's format. Its times are calendar times, because the guard's own clock ends with the
//! process.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::Uuid;
use crate::policy::Level;

use super::cooling::{Coolings, Saved, lenient};

const VERSION: u32 = 1;

/// The longest lease or pause there can be.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    version: u32,
    saved_unix_seconds: f64,
    /// The same moment on the clock that nobody sets, for a guard of the same boot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saved: Option<SinceBoot>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    leases: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pauses: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heartbeat_unix_seconds: Option<f64>,
    #[serde(default)]
    pub detached: bool,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient"
    )]
    cooling: Option<Saved>,
}

/// A moment of one boot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SinceBoot {
    pub boot_id: String,
    pub seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    uuid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    ends_unix_seconds: f64,
}

/// An operator's lease or pause, and how much of it is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    pub uuid: Uuid,
    pub what: T,
    pub left: Duration,
}

impl Record {
    /// `now`: since the Unix epoch.
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
            saved: None,
            leases: leases.collect(),
            pauses: pauses.collect(),
            heartbeat_unix_seconds: heartbeat.map(|at| at.as_secs_f64()),
            detached,
            cooling: None,
        }
    }

    /// With how well the cards are cooled.
    pub(crate) fn cooled(self, all: &Coolings) -> Self {
        let cooling = Saved::of(all);
        Self { cooling, ..self }
    }

    /// How well the cards were cooled.
    pub fn coolings(&self) -> Coolings {
        self.cooling.as_ref().map(Saved::known).unwrap_or_default()
    }

    /// With the moment on the machine's own clock.
    pub(crate) fn saved_at(self, saved: SinceBoot) -> Self {
        let saved = Some(saved);
        Self { saved, ..self }
    }

    /// The present time on the clock of this record. In the same boot the time that has passed counts,
    /// wherever the wall clock was set meanwhile; otherwise the wall clock is all there is.
    pub fn present(&self, unix: Duration, since_boot: &SinceBoot) -> Duration {
        let saved = self.saved.as_ref();
        let same = saved.filter(|saved| saved.boot_id == since_boot.boot_id);
        let passed = same.map(|saved| since_boot.seconds - saved.seconds);
        let present = passed
            .filter(|passed| *passed >= 0.0)
            .and_then(|passed| Duration::try_from_secs_f64(self.saved_unix_seconds + passed).ok());
        present.unwrap_or(unix)
    }

    /// How many leases and pauses have ended by `now`.
    pub(crate) fn ended(&self, now: Duration) -> usize {
        let all = self.leases.iter().chain(&self.pauses);
        all.filter(|entry| self.kept(entry, now, ()).is_none())
            .count()
    }

    pub(crate) fn parse(text: &[u8]) -> io::Result<Self> {
        let record: Self = serde_json::from_slice(text)?;
        if record.version == VERSION {
            return Ok(record);
        }
        let version = record.version;
        Err(io::Error::other(format!(
            "version {version}, this guard knows {VERSION}"
        )))
    }

    /// The operators' leases that haven't ended.
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

    /// If the clock was set back since, nothing must get longer than it was.
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
