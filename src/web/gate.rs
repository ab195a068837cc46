//! What the web config asks of readers: a password, a pace, headers on every answer. Health needs
//! no password, because probes have none; what actuates has its own gate, see [`super::auth`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::task::yield_now;

use crate::units::Moment;

use super::basic_auth::{BasicAuth, NoRandomness, Verdict};
use super::listen::Peer;
use super::security::{InForce, Security};
use super::webconfig::{RateLimit, WebConfig};

/// What one web config asks for.
pub(super) struct Rules {
    users: BasicAuth,
    headers: Vec<(HeaderName, HeaderValue)>,
    pace: Option<Mutex<Pace>>,
}

impl Rules {
    pub(super) fn new(config: &WebConfig) -> Result<Self, NoRandomness> {
        Ok(Self {
            users: BasicAuth::new(config.users.clone())?,
            headers: config.headers.clone(),
            pace: config.rate_limit.map(|limit| Mutex::new(Pace::new(limit))),
        })
    }

    fn is_too_fast(&self, now: Moment) -> bool {
        let Some(pace) = &self.pace else { return false };
        let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
        !pace.allows(now)
    }

    /// What an answer says of itself stays, as in the toolkit: the page's own policy is stricter
    /// than one for all exporters of a node can be.
    fn add_headers(&self, response: &mut Response) {
        for (name, value) in &self.headers {
            let entry = response.headers_mut().entry(name.clone());
            entry.or_insert_with(|| value.clone());
        }
    }
}

/// Puts the gate before everything of `router`.
pub fn guarded(router: Router, security: Arc<Security>) -> Router {
    router.layer(from_fn_with_state(security, pass))
}

async fn pass(State(security): State<Arc<Security>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let now = if super::actuates(path) || ["/-/healthy", "/-/ready"].contains(&path) {
        security.held()
    } else {
        let now = security.now().await;
        let who = request.extensions().get::<Peer>().map(|peer| peer.address);
        if let Some(mut refusal) = refusal(&security, &now, request.headers(), who).await {
            now.rules.add_headers(&mut refusal);
            return refusal;
        }
        // Whoever sends request upon request without a pause waits for the others after each.
        yield_now().await;
        now
    };
    let mut response = next.run(request).await;
    now.rules.add_headers(&mut response);
    response
}

/// Why a reader gets nothing, if so.
async fn refusal(
    security: &Security,
    now: &InForce,
    headers: &HeaderMap,
    who: Option<SocketAddr>,
) -> Option<Response> {
    if !now.usable {
        let text = "the web config can't be used: the guard's log says why\n";
        return Some((StatusCode::INTERNAL_SERVER_ERROR, text).into_response());
    }
    if now.rules.is_too_fast(security.clock().wall()) {
        return Some((StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response());
    }
    if now.rules.users.verify(headers, who).await != Verdict::Refused {
        return None;
    }
    let challenge = [(WWW_AUTHENTICATE, "Basic")];
    Some((StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response())
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
