//! The paths. Wire formats are private to their file; no handler touches a GPU.
//!
//! | path | answer | needs |
//! |---|---|---|
//! | `GET /` | live status page ([`super::page`]) | |
//! | `GET /metrics` | for Prometheus ([`super::metrics`]) | |
//! | `GET /api/v1/status`, `/api/v1/events` | the status board, once and as it changes ([`super::status`]) | |
//! | `GET /api/v1/history` | the last hour, for charts ([`super::status`]) | |
//! | `POST /hook` | Alertmanager's webhook | credential |
//! | `POST /api/v1/leases` | a manual lease: `{"gpu": "0", "level": "gradual", "for": "10m"}` | credential |
//! | `DELETE /api/v1/leases/{gpu}` | its end | credential |
//! | `POST /api/v1/pauses` | ignore leases and gradual: `{"gpu": "all", "for": "30m"}` | credential |
//! | `DELETE /api/v1/pauses/{gpu}` | its end | credential |
//! | `POST /-/detach`, `/-/attach` | let go of every NVML handle, and take them again | credential |
//! | `POST /-/reload` | read the configuration again | credential |
//! | `GET /-/healthy`, `/-/ready` | alive; GPUs known and read | |
//!
//! The web config may ask readers for a password ([`super::access::readers`]), which doesn't let anybody
//! actuate. A credential is a bearer token or an allowed client certificate, see
//! [`super::access::actuators`]. All routes that need one are in [`actuating`], behind one gate.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, any, delete, get, post};

use super::access::gate;
use super::actuate::{hook, lease, operate};
use super::app::App;
use super::http::refusal::Refusal;

/// The routes that actuate, and health. With `--web.actuate.listen-address` they have that listener for
/// themselves; otherwise `serve` adds the routes that only show.
pub fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, methods) in actuating(&app) {
        router = router.route(path, methods);
    }
    finish(router, app)
}

/// For scrapers and people, if `--web.actuate.listen-address` names another listener for the routes that
/// actuate: these are refused here, with or without a credential.
pub fn reading_router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for (path, _) in actuating(&app) {
        router = router.route(path, any(elsewhere));
    }
    finish(router, app)
}

/// The routes that actuate, each behind the gate. A wrong method is answered 405 before the gate.
fn actuating(app: &Arc<App>) -> Vec<(&'static str, MethodRouter<Arc<App>>)> {
    let gate = from_fn_with_state(app.clone(), gate::require);
    let count = from_fn_with_state(app.clone(), hook::count);
    let changed = from_fn_with_state(app.clone(), changed);
    let mut routes = vec![
        ("/hook", post(hook::handler)),
        ("/api/v1/leases", post(lease::grant)),
        ("/api/v1/leases/{gpu}", delete(lease::release)),
        ("/api/v1/pauses", post(lease::pause)),
        ("/api/v1/pauses/{gpu}", delete(lease::resume)),
        ("/-/reload", post(operate::reload)),
        ("/-/detach", post(operate::detach)),
        ("/-/attach", post(operate::attach)),
    ];
    for (path, methods) in &mut routes {
        let gated = std::mem::take(methods).route_layer(gate.clone());
        let counted = if *path == "/hook" {
            gated.layer(count.clone())
        } else {
            gated
        };
        *methods = counted.layer(changed.clone());
    }
    routes
}

fn finish(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router
        .route("/-/healthy", get(operate::healthy))
        .route("/-/ready", get(operate::ready))
        .fallback(missing)
        .with_state(app)
}

async fn missing(State(app): State<Arc<App>>, request: Request) -> Refusal {
    hook::note_missed(&app, &request);
    Refusal::new(StatusCode::NOT_FOUND, "no such path")
}

/// A scrape after the answer sees what the request changed.
async fn changed(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.desk.shared.generation.advance();
    response
}

async fn elsewhere() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "this listener only shows: requests that actuate are answered on --web.actuate.listen-address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::body::Body;
    use axum::http::{Method, Request};
    use tower::ServiceExt as _;

    use std::collections::BTreeMap;
    use std::time::Duration;

    use crate::alerts::target::node::Node;
    use crate::alerts::{Desk, Settings};
    use crate::clock::Clock;
    use crate::guard::state::{Live, Shared};
    use crate::policy::Chain;
    use crate::policy::ask::chain::Expected;
    use crate::units::Moment;
    use crate::web::access::actuators::{Actuators, Tokens, actuates};

    fn app() -> Arc<App> {
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, Live::default());
        let settings = Settings {
            lease: Duration::from_secs(30),
            severity_map: BTreeMap::new(),
            node: Node::default(),
        };
        let desk = Desk::new(Arc::new(shared), settings);
        let sans = vec!["alertmanager.example".to_owned()];
        let actuators = Actuators::new(Tokens::none(), sans);
        let reload = Box::new(|| Ok(()));
        Arc::new(App::new(Arc::new(desk), Arc::new(actuators), reload))
    }

    /// This walks the router's own list, so that it covers routes that are added later.
    #[tokio::test]
    async fn no_route_that_actuates_has_a_method_past_the_gate() {
        let app = app();
        let mut gated = 0;
        for (path, _) in actuating(&app) {
            assert!(actuates(path), "{path} would want the readers' password");
            for method in [
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::OPTIONS,
            ] {
                let uri = path.replace("{gpu}", "0");
                let request = Request::builder().method(&method).uri(uri);
                let request = request.body(Body::empty()).unwrap();
                let response = router(app.clone()).oneshot(request).await.unwrap();
                let code = response.status().as_u16();
                assert!(matches!(code, 401 | 405), "{method} {path}: {code}");
                gated += u32::from(code == 401);
            }
        }
        assert_eq!(gated, 8, "one method a path, else this test saw nothing");
    }
}
