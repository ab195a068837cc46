//! A webhook of Alertmanager's with one alert on a simulated card.

use std::time::SystemTime;

use serde_json::{Value, json};

/// A time as Alertmanager writes it.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The UUID of a simulated card.
pub(crate) fn uuid(gpu: usize) -> String {
    format!("GPU-00000000-0000-4000-8000-{gpu:012x}")
}

/// The body for one alert on a card.
pub(crate) fn delivery(status: &str, action: &str, gpu: usize, starts_at: SystemTime) -> Value {
    json!({
        "version": "4",
        "status": status,
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "alerts": [{
            "status": status,
            "labels": {"alertname": "Test", "guard_action": action, "uuid": uuid(gpu)},
            "annotations": {},
            "startsAt": rfc3339(starts_at),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "febc53a2d4c8b45d",
        }],
    })
}
