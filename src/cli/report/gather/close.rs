//! Books what has ended, or lasts until now.

use std::time::Duration;

use crate::events::{Outcome, Trouble};

use super::super::incident::Incident;
use super::super::record::{Record, hotter};
use super::{Gather, Key, OWN_SLOWDOWN};

impl Gather {
    pub(super) fn close(&mut self, mut open: Incident, time: Duration, how: &str) {
        let lasted = time.saturating_sub(open.began).as_secs_f64();
        open.seconds = open.seconds.or(Some(lasted));
        if let Some(course) = &open.throttle {
            open.what = course.sentence(how);
        }
        if open.end() < self.since {
            return;
        }
        if let Some(name) = &open.gpu {
            let gpu = self.gpu(&name.clone());
            gpu.book(&open);
            if open.kind == OWN_SLOWDOWN {
                gpu.own_slowdowns.add(open.seconds.unwrap_or(0.0));
                gpu.own_hottest_celsius = hotter(gpu.own_hottest_celsius, open.hottest_celsius);
            } else if open.throttle.is_none() {
                let spells = gpu.troubles.entry(open.kind.clone()).or_default();
                spells.add(open.seconds.unwrap_or(0.0));
            }
        } else {
            let guard = &mut self.record.guard;
            let spells = match open.kind.as_str() {
                "chain" => Some(&mut guard.chain_outages),
                "detached" => Some(&mut guard.detached),
                kind if kind == Trouble::DriverGone.name() => Some(&mut guard.driver_outages),
                _ => None,
            };
            if let Some(spells) = spells {
                spells.add(open.seconds.unwrap_or(0.0));
            }
        }
        self.record.incidents.push(open);
    }

    /// The guard noticed the beginning and the end late, and says how long it was.
    pub(super) fn end_own_slowdown(&mut self, time: Duration, key: &Key, outcome: &Outcome) {
        if let Some(open) = self.spells.get_mut(key) {
            open.seconds = Some(outcome.seconds);
            open.hottest_celsius = outcome.hottest_celsius;
            if let Some(hottest) = outcome.hottest_celsius {
                open.what = format!("{}, hottest {hottest:.0} °C", open.what);
            }
        }
        self.end(time, key);
    }

    pub(super) fn finish(mut self, until: Duration) -> Record {
        for (_, open) in std::mem::take(&mut self.spells) {
            self.close(open, until, "");
        }
        self.close_throttles(until);
        let mut record = self.record;
        record.gpus = self.gpus.into_values().collect();
        record.gpus.sort_by(|a, b| a.name.cmp(&b.name));
        record.incidents.sort_by_key(|incident| incident.began);
        record
    }
}
