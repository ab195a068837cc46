//! The form of an entry on disk: a JSON object.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::{FanSetting, Uuid};
use crate::disk::NotAFile;
use crate::policy::{BySensor, Claim, Doubt, FanClaims, LimitClaim, State};
use crate::units::Watts;

use super::entry::{Entry, Reason};
use super::lock_records::LockRecords;

const VERSION: u32 = 1;

/// The object in the file.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    uuid: String,
    boot_id: String,
    energy_millijoules: Option<u64>,
    limit: Option<LimitRecord>,
    #[serde(flatten)]
    locks: LockRecords,
    /// The fans that the guard set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fans: Vec<FanRecord>,
    /// Files of an older guard lack this and what follows.
    #[serde(default = "yes")]
    confirmed: bool,
    #[serde(default)]
    state: String,
    /// By sensor.
    #[serde(default)]
    doubts: BTreeMap<String, String>,
    /// By name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hot_files: Vec<String>,
    #[serde(default)]
    since_unix_seconds: Option<f64>,
}

/// A fan, and who set it before.
#[derive(Serialize, Deserialize)]
struct FanRecord {
    fan: usize,
    /// `null`: the card's firmware.
    original_percent: Option<u32>,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the file's keys say their unit")]
struct LimitRecord {
    original_milliwatts: u32,
    previous_milliwatts: u32,
    next_milliwatts: u32,
}

/// The file's text.
pub(super) fn text(entry: &Entry) -> io::Result<Vec<u8>> {
    let limit = entry.claim.limit.map(|limit| LimitRecord {
        original_milliwatts: limit.original.milliwatts(),
        previous_milliwatts: limit.previous.milliwatts(),
        next_milliwatts: limit.next.milliwatts(),
    });
    let record = Record {
        version: VERSION,
        uuid: entry.uuid.to_string(),
        boot_id: entry.boot_id.clone(),
        energy_millijoules: entry.energy_millijoules,
        limit,
        locks: LockRecords {
            held: entry.claim.locks,
            ranges: entry.locks,
        },
        fans: entry.claim.fans.iter().map(fan_record).collect(),
        confirmed: entry.confirmed,
        state: entry.reason.state.map_or("", State::name).to_owned(),
        doubts: entry
            .reason
            .doubts()
            .into_iter()
            .map(|(sensor, doubt)| (sensor.name().to_owned(), doubt.name().to_owned()))
            .collect(),
        hot_files: (entry.reason.hot_files.iter())
            .map(|name| (**name).to_owned())
            .collect(),
        since_unix_seconds: entry.since.map(|since| since.as_secs_f64()),
    };
    Ok(serde_json::to_vec_pretty(&record)?)
}

fn fan_record((fan, original): (usize, FanSetting)) -> FanRecord {
    let original_percent = match original {
        FanSetting::Automatic => None,
        FanSetting::Manual { percent } => Some(percent),
    };
    FanRecord {
        fan,
        original_percent,
    }
}

/// Why there is no entry, without the path.
pub(super) enum Unread {
    Io(io::Error),
    Not(String),
}

impl From<io::Error> for Unread {
    /// A pipe, a link or an endless file is no journal, however often it is read.
    fn from(error: io::Error) -> Self {
        let is_none = NotAFile::is_why(&error) || error.kind() == io::ErrorKind::InvalidData;
        if is_none {
            Self::Not(error.to_string())
        } else {
            Self::Io(error)
        }
    }
}

pub(super) fn parse(text: &[u8]) -> Result<Entry, Unread> {
    let record: Record =
        serde_json::from_slice(text).map_err(|error| Unread::Not(error.to_string()))?;
    if record.version != VERSION {
        return Err(Unread::Not(format!(
            "version {}, this guard knows {VERSION}",
            record.version
        )));
    }
    let limit = record.limit.map(|limit| LimitClaim {
        original: Watts::from_milliwatts(limit.original_milliwatts),
        previous: Watts::from_milliwatts(limit.previous_milliwatts),
        next: Watts::from_milliwatts(limit.next_milliwatts),
    });
    let mut fans = FanClaims::default();
    for FanRecord {
        fan,
        original_percent,
    } in record.fans
    {
        let manual = |percent| FanSetting::Manual { percent };
        fans.set(
            fan,
            Some(original_percent.map_or(FanSetting::Automatic, manual)),
        );
    }
    let claim = Claim {
        limit,
        locks: record.locks.held,
        fans,
    };
    Ok(Entry {
        uuid: Uuid::new(&record.uuid),
        claim,
        boot_id: record.boot_id,
        energy_millijoules: record.energy_millijoules,
        locks: record.locks.ranges,
        confirmed: record.confirmed,
        reason: Reason {
            hot_files: record.hot_files.into_iter().map(Arc::from).collect(),
            ..reason(&record.state, &record.doubts)
        },
        since: record
            .since_unix_seconds
            .and_then(|since| Duration::try_from_secs_f64(since).ok()),
    })
}

/// A doubt that only a newer guard knows is a doubt all the same.
fn reason(state: &str, doubts: &BTreeMap<String, String>) -> Reason {
    Reason {
        state: State::ALL.into_iter().find(|known| known.name() == state),
        doubted: BySensor::of(|sensor| {
            let doubt = doubts.get(sensor.name())?;
            Some(Doubt::named(doubt).unwrap_or(Doubt::Missing))
        }),
        hot_files: Vec::new(),
    }
}
