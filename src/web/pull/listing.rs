//! The body of `GET /api/v2/alerts`.

use serde_json::Value;

use crate::web::alert::Alert;

use super::client::PullError;

/// More would be a whole fleet's: `alertmanager.filter` asks for this node's.
const MAX_ALERTS: usize = 5000;

/// What one Alertmanager knows to be firing.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) active: Vec<Alert>,
    /// Silenced, inhibited, or not judged yet.
    pub(super) suppressed: Vec<Alert>,
    pub(super) unreadable: u64,
}

impl Listing {
    pub(super) fn parse(body: &[u8]) -> Result<Self, PullError> {
        // What exactly is wrong isn't repeated: it comes from outside.
        let body: Value =
            serde_json::from_slice(body).map_err(|_| PullError::Malformed("the body"))?;
        let alerts = body
            .as_array()
            .ok_or(PullError::Malformed("no list of alerts"))?;
        if alerts.len() > MAX_ALERTS {
            return Err(PullError::TooLarge);
        }
        let mut listing = Self::default();
        for alert in alerts {
            let state = alert.pointer("/status/state").and_then(Value::as_str);
            match (state, Alert::read(alert)) {
                (Some("active"), Some(alert)) => listing.active.push(alert),
                (Some("suppressed" | "unprocessed"), Some(alert)) => listing.suppressed.push(alert),
                _ => listing.unreadable += 1,
            }
        }
        Ok(listing)
    }
}
