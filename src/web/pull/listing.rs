//! The body of `GET /api/v2/alerts`.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::web::alert::Alert;

use super::client::PullError;
use super::slim;

/// More would be a whole fleet's: `alertmanager.filter` asks for this node's.
const MAX_ALERTS: usize = 5000;

/// Bytes of one alert that is read whole. A tree takes up to ninety times the memory of its text, so
/// there is only ever the tree of one alert, and of a longer one only of what is looked at.
const MAX_ALERT: usize = 64 * 1024;

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
        let malformed = |error: serde_json::Error| {
            let is_json = error.is_data();
            PullError::Malformed(if is_json {
                "no list of alerts"
            } else {
                "the body"
            })
        };
        // Counted before anything is kept.
        let count = serde_json::from_slice::<Vec<IgnoredAny>>(body).map_err(malformed)?;
        if count.len() > MAX_ALERTS {
            return Err(PullError::TooLarge);
        }
        let alerts: Vec<&RawValue> = serde_json::from_slice(body).map_err(malformed)?;
        let mut listing = Self::default();
        for alert in alerts {
            listing.take(alert.get());
        }
        Ok(listing)
    }

    fn take(&mut self, alert: &str) {
        let alert = if alert.len() <= MAX_ALERT {
            serde_json::from_str(alert).ok()
        } else {
            slim::alert(alert)
        };
        let state = alert
            .as_ref()
            .and_then(|alert| alert.pointer("/status/state"));
        let state = state.and_then(Value::as_str);
        match (state, alert.as_ref().and_then(Alert::read)) {
            (Some("active"), Some(alert)) => self.active.push(alert),
            (Some("suppressed" | "unprocessed"), Some(alert)) => self.suppressed.push(alert),
            _ => self.unreadable += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(padding: usize) -> String {
        let padding = "x".repeat(padding);
        format!(
            r#"{{"labels":{{"gpu":"0"}},"status":{{"state":"active"}},"annotations":{{"a":"{padding}"}}}}"#
        )
    }

    #[test]
    fn a_large_alert_without_a_fingerprint_costs_itself_and_too_many_cost_all() {
        let body = format!("[{},{},7]", alert(1), alert(MAX_ALERT));
        let listing = Listing::parse(body.as_bytes()).expect("a list");
        assert_eq!((listing.active.len(), listing.unreadable), (1, 2));
        let many = |count| format!("[{}]", vec!["{}"; count].join(","));
        let enough = Listing::parse(many(MAX_ALERTS).as_bytes());
        assert_eq!(enough.expect("a list").unreadable, MAX_ALERTS as u64);
        let more = Listing::parse(many(MAX_ALERTS + 1).as_bytes());
        assert!(matches!(more, Err(PullError::TooLarge)));
    }

    #[test]
    fn what_is_no_list_says_whether_it_is_json() {
        let why = |body: &str| Listing::parse(body.as_bytes()).expect_err(body).to_string();
        assert!(why("{\"a\":1}").ends_with("no list of alerts"));
        assert!(why("[{}").ends_with("the body"));
    }
}
