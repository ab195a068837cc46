//! The body of `GET /api/v2/alerts`.

use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::alerts::alert::Alert;

use super::error::PullError;
use super::slim;

/// More would be the alerts of a whole fleet: `alertmanager.filter` asks for those of this node.
const MAX_ALERTS: usize = 5000;

/// Bytes of one alert that is read whole. A JSON tree takes up to ninety times the memory of its text.
/// So there is never more than the tree of one alert, and a longer alert is cut down first.
const MAX_ALERT: usize = 64 * 1024;

/// The alerts that one Alertmanager lists.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) active: Vec<Alert>,
    /// Silenced, inhibited, or not judged yet.
    pub(crate) suppressed: Vec<Alert>,
    pub(crate) unreadable: u64,
}

impl Listing {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, PullError> {
        // The error's text isn't repeated: it quotes the body.
        let malformed = |error: serde_json::Error| {
            let is_json = error.is_data();
            PullError::Malformed(if is_json {
                "no list of alerts"
            } else {
                "the body"
            })
        };
        // Count first, before keeping anything.
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
    fn a_large_alert_without_a_fingerprint_is_lost_alone_and_too_many_are_lost_together() {
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
    fn the_error_tells_whether_the_body_was_json() {
        let why = |body: &str| Listing::parse(body.as_bytes()).expect_err(body).to_string();
        assert!(why("{\"a\":1}").ends_with("no list of alerts"));
        assert!(why("[{}").ends_with("the body"));
    }
}
