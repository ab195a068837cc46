//! What the web config asks of readers: a password, a pace, headers on every answer. Health needs
//! no password, because probes have none; what actuates has its own gate, see [`super::auth`].

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use crate::guard::Clock;
use crate::units::Moment;

use super::basic_auth::{BasicAuth, NoRandomness, Verdict};
use super::webconfig::{RateLimit, WebConfig};

/// The gate of one service.
pub struct Gate {
    clock: Clock,
    users: BasicAuth,
    headers: Vec<(HeaderName, HeaderValue)>,
    pace: Option<Mutex<Pace>>,
}

impl Gate {
    pub fn new(config: &WebConfig, clock: Clock) -> Result<Self, NoRandomness> {
        Ok(Self {
            clock,
            users: BasicAuth::new(config.users.clone())?,
            headers: config.headers.clone(),
            pace: config.rate_limit.map(|limit| Mutex::new(Pace::new(limit))),
        })
    }

    fn is_too_fast(&self) -> bool {
        let Some(pace) = &self.pace else { return false };
        !pace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .allows(self.clock.wall())
    }
}

/// Puts the gate before everything of `router`.
pub fn guarded(router: Router, gate: Arc<Gate>) -> Router {
    router.layer(from_fn_with_state(gate, pass))
}

async fn pass(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let exempt = super::actuates(path) || ["/-/healthy", "/-/ready"].contains(&path);
    let mut response = if !exempt && gate.is_too_fast() {
        StatusCode::TOO_MANY_REQUESTS.into_response()
    } else if exempt || gate.users.verify(request.headers()).await != Verdict::Refused {
        next.run(request).await
    } else {
        (
            StatusCode::UNAUTHORIZED,
            [(WWW_AUTHENTICATE, "Basic")],
            "Unauthorized\n",
        )
            .into_response()
    };
    for (name, value) in &gate.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
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
