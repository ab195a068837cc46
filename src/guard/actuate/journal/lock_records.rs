//! The clock locks in the journal's file: keys for each clock in the table of knobs.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error as DeError};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::device::{ByClock, ClockDomain, ClockRange};
use crate::units::Megahertz;

/// The clock locks, two keys for each clock: `gpu_clock_locked` and `gpu_clock_lock_megahertz` (from,
/// to). A file of an older guard may lack the second key, and all keys of a clock that it didn't know.
pub(super) struct LockRecords {
    pub(super) held: ByClock<bool>,
    pub(super) ranges: ByClock<Option<ClockRange>>,
}

fn held_key(domain: ClockDomain) -> String {
    format!("{}ed", domain.lock_name())
}

fn range_key(domain: ClockDomain) -> String {
    format!("{}_megahertz", domain.lock_name())
}

impl Serialize for LockRecords {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (domain, held) in self.held.iter() {
            map.serialize_entry(&held_key(domain), held)?;
        }
        for (domain, range) in self.ranges.iter() {
            map.serialize_entry(&range_key(domain), &range.map(ends))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for LockRecords {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut keys = BTreeMap::<String, Value>::deserialize(from)?;
        let mut records = Self {
            held: ByClock::default(),
            ranges: ByClock::default(),
        };
        for domain in ClockDomain::ALL {
            records.held[domain] = taken(&mut keys, &held_key(domain))?;
            let range: Option<[u32; 2]> = taken(&mut keys, &range_key(domain))?;
            records.ranges[domain] = range.map(self::range);
        }
        Ok(records)
    }
}

fn taken<T: DeserializeOwned + Default, E: DeError>(
    keys: &mut BTreeMap<String, Value>,
    key: &str,
) -> Result<T, E> {
    let value = keys.remove(key).map(serde_json::from_value).transpose();
    let value = value.map_err(|error| E::custom(format!("{key}: {error}")))?;
    Ok(value.unwrap_or_default())
}

fn ends(lock: ClockRange) -> [u32; 2] {
    [lock.min.megahertz(), lock.max.megahertz()]
}

fn range([min, max]: [u32; 2]) -> ClockRange {
    ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    }
}
