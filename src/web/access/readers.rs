//! Applies the web config's rules to readers. Health needs no password, because health checks have none.
//! Paths that actuate have their own gate, see [`super::actuators`].

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::task::yield_now;

use super::actuators::actuates;
use super::basic_auth::Verdict;
use super::live_config::{InForce, LiveWebConfig};
use crate::web::http::peer::Peer;

/// Applies the rules to all routes of `router`.
pub fn guarded(router: Router, security: Arc<LiveWebConfig>) -> Router {
    router.layer(from_fn_with_state(security, pass))
}

async fn pass(
    State(security): State<Arc<LiveWebConfig>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let now = if actuates(path) || ["/-/healthy", "/-/ready"].contains(&path) {
        security.held()
    } else {
        let now = security.now().await;
        let who = request.extensions().get::<Peer>().map(|peer| peer.address);
        if let Some(mut refusal) = refusal(&security, &now, request.headers(), who).await {
            now.rules.add_headers(&mut refusal);
            return refusal;
        }
        // Yield, so that a client that pipelines requests can't starve the others.
        yield_now().await;
        now
    };
    let mut response = next.run(request).await;
    now.rules.add_headers(&mut response);
    response
}

/// The answer to a reader who gets nothing else.
async fn refusal(
    security: &LiveWebConfig,
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
