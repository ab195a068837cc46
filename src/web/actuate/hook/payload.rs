//! Alertmanager's webhook body, version 4. Private to the hook.

use axum::http::StatusCode;
use serde_json::Value;

use crate::alerts::{Alert, Status};
use crate::web::http::refusal::Refusal;

const MAX_ALERTS: usize = 500;

/// Grafana's alerts have Alertmanager's fields, but not its grouping and its repetitions, which renew a
/// lease.
const GRAFANA: &str = "version: \"1\" is a webhook of Grafana's own alerting, and must be the string \"4\" (Alertmanager's): in Grafana, use a contact point of the type Alertmanager, and let that Alertmanager send here; or have the guard pull from an Alertmanager (alertmanager.url)";

/// One delivery.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Each with its own status. The group's `status` is deliberately left out: Alertmanager computes it
    /// after it truncates the list, so it can be resolved while an alert fires.
    pub(crate) alerts: Vec<(Status, Option<Alert>)>,
    /// Alerts that the sender left out. The guard draws no conclusion from missing alerts.
    pub(crate) truncated: u64,
}

impl Delivery {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        // Some senders begin a text with a byte order mark, which has no meaning here.
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad_request(format!("not JSON: {error}")))?;
        let version = body.get("version").and_then(Value::as_str);
        if version != Some("4") {
            let is_grafana = version == Some("1");
            return Err(Refusal::bad_request(if is_grafana {
                GRAFANA
            } else {
                "version: must be the string \"4\" (Alertmanager's webhook; a custom payload can't be read)"
            }));
        }
        let alerts = body
            .get("alerts")
            .and_then(Value::as_array)
            .ok_or_else(|| Refusal::bad_request("alerts: must be an array"))?;
        if alerts.len() > MAX_ALERTS {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("alerts: at most {MAX_ALERTS} in one delivery"),
            ));
        }
        let truncated = body.get("truncatedAlerts").and_then(Value::as_u64);
        Ok(Self {
            alerts: alerts.iter().map(alert).collect(),
            truncated: truncated.unwrap_or_default(),
        })
    }
}

fn alert(alert: &Value) -> (Status, Option<Alert>) {
    match alert.get("status").and_then(Value::as_str) {
        Some("firing") => (Status::Firing, Alert::read(alert)),
        Some("resolved") => (Status::Resolved, Alert::read(alert)),
        _ => (Status::Unknown, None),
    }
}
