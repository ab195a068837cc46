//! The senders' own records: which of their alerts fire, by the last message that the guard accepted.
//! The guard must have these leases and no others.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::common::guard::Guard;

/// The wanted level by GPU and fingerprint.
pub(crate) type Leases = BTreeMap<(usize, u64), &'static str>;

/// One alert of one sender. Its labels and so its wanted level never change.
#[derive(Clone)]
pub(crate) struct Alert {
    fingerprint: u64,
    gpu: usize,
    action: &'static str,
    /// Since when, while it fires.
    firing: Option<SystemTime>,
}

impl Alert {
    pub(crate) fn new(number: u64, gpu: usize) -> Self {
        let action = if number.is_multiple_of(3) {
            "emergency"
        } else {
            "gradual"
        };
        Self {
            // Spread as a hash is.
            fingerprint: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            gpu,
            action,
            firing: None,
        }
    }

    /// Its next message: it fires, is repeated, or (`ends`) is resolved.
    pub(crate) fn next(&mut self, ends: bool) -> Value {
        let (status, starts) = match self.firing {
            Some(since) if ends => ("resolved", since),
            Some(since) => ("firing", since),
            None => ("firing", SystemTime::now()),
        };
        self.firing = (status == "firing").then_some(starts);
        json!({
            "status": status,
            "labels": {
                "alertname": "Storm",
                "guard_action": self.action,
                "uuid": format!("GPU-00000000-0000-4000-8000-{:012x}", self.gpu),
            },
            "annotations": {"summary": "more of them than anybody reads"},
            "startsAt": humantime::format_rfc3339_nanos(starts).to_string(),
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph",
            "fingerprint": format!("{:016x}", self.fingerprint),
        })
    }

    pub(crate) fn lease(&self) -> Option<((usize, u64), &'static str)> {
        self.firing?;
        Some(((self.gpu, self.fingerprint), self.action))
    }
}

/// A delivery as Alertmanager composes it.
pub(crate) fn delivery(alerts: &[Value]) -> Value {
    json!({
        "receiver": "guard", "status": "firing", "alerts": alerts,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093", "version": "4",
        "groupKey": "{}:{}", "truncatedAlerts": 0,
    })
}

/// The leases of alerts that the guard says are live.
pub(crate) fn live(guard: &Guard) -> Leases {
    let status = guard.status();
    let mut live = Leases::new();
    for (gpu, card) in status["gpus"].as_array().unwrap().iter().enumerate() {
        for lease in card["leases"].as_array().unwrap() {
            let fingerprint = lease["fingerprint"].as_str().unwrap();
            let fingerprint = u64::from_str_radix(fingerprint, 16).unwrap();
            let levels = ["gradual", "emergency"];
            let level = levels.into_iter().find(|level| lease["level"] == *level);
            live.insert((gpu, fingerprint), level.unwrap());
        }
    }
    live
}

/// Those that fire and are not held, and those that are held and don't fire, or at another level.
pub(crate) fn lost_and_left(books: &Leases, live: &Leases) -> (usize, usize) {
    let missing = |these: &Leases, there: &Leases| {
        let missing = these
            .iter()
            .filter(|(key, level)| there.get(key) != Some(level));
        missing.count()
    };
    (missing(books, live), missing(live, books))
}
