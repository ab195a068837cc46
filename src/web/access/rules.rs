//! The rules of one web config: a password, a rate limit, headers on every answer.

use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;
use parking_lot::Mutex;

use super::basic_auth::{BasicAuth, NoRandomness};
use super::webconfig::{RateLimit, WebConfig};
use crate::units::Moment;

/// The rules of one web config.
pub(crate) struct Rules {
    pub(crate) users: BasicAuth,
    headers: Vec<(HeaderName, HeaderValue)>,
    pace: Option<Mutex<Pace>>,
}

impl Rules {
    pub(crate) fn new(config: &WebConfig) -> Result<Self, NoRandomness> {
        Ok(Self {
            users: BasicAuth::new(config.users.clone())?,
            headers: config.headers.clone(),
            pace: config.rate_limit.map(|limit| Mutex::new(Pace::new(limit))),
        })
    }

    pub(crate) fn is_too_fast(&self, now: Moment) -> bool {
        let Some(pace) = &self.pace else { return false };
        !pace.lock().allows(now)
    }

    /// An answer keeps its own headers, as in the exporter-toolkit: the page's own policy is stricter
    /// than one for all exporters of a node can be.
    pub(crate) fn add_headers(&self, response: &mut Response) {
        for (name, value) in &self.headers {
            let entry = response.headers_mut().entry(name.clone());
            entry.or_insert_with(|| value.clone());
        }
    }
}

/// A token bucket.
struct Pace {
    limit: RateLimit,
    tokens: f64,
    filled: Moment,
}

impl Pace {
    fn new(limit: RateLimit) -> Self {
        Self {
            limit,
            tokens: f64::from(limit.burst),
            filled: Moment::START,
        }
    }

    fn allows(&mut self, now: Moment) -> bool {
        let earned = now.since(self.filled).as_secs_f64() / self.limit.interval.as_secs_f64();
        self.tokens = (self.tokens + earned).min(f64::from(self.limit.burst.max(1)));
        self.filled = now;
        let allowed = self.tokens >= 1.0;
        self.tokens -= if allowed { 1.0 } else { 0.0 };
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_then_one_per_interval() {
        let mut pace = Pace::new(RateLimit {
            interval: Duration::from_secs(1),
            burst: 3,
        });
        let at = Moment::from_secs_f64;
        let burst: Vec<_> = (0..5).map(|_| pace.allows(at(1.0))).collect();
        assert_eq!(burst, [true, true, true, false, false]);
        assert!(!pace.allows(at(1.9)));
        assert!(pace.allows(at(2.0)));
    }
}
