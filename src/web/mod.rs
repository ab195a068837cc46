//! Everything over HTTP, and what is asked of Alertmanager ([`pull`]). Wire formats are private to their file; no handler touches a GPU.
//!
//! | path | what | needs |
//! |---|---|---|
//! | `GET /` | live status page ([`page`]) | |
//! | `GET /metrics` | for Prometheus ([`metrics`]) | |
//! | `GET /api/v1/status`, `/api/v1/events` | the status board, once and as it changes ([`status`]) | |
//! | `GET /api/v1/history` | the last hour, for charts ([`status`]) | |
//! | `POST /hook` | Alertmanager's webhook | credential |
//! | `POST /api/v1/leases` | a manual lease: `{"gpu": "0", "level": "gradual", "for": "10m"}` | credential |
//! | `DELETE /api/v1/leases/{gpu}` | its end | credential |
//! | `POST /api/v1/pauses` | ignore leases and gradual: `{"gpu": "all", "for": "30m"}` | credential |
//! | `DELETE /api/v1/pauses/{gpu}` | its end | credential |
//! | `POST /-/detach`, `/-/attach` | let go of every NVML handle, and take them again | credential |
//! | `POST /-/reload` | read the configuration again | credential |
//! | `GET /-/healthy`, `/-/ready` | alive; GPUs known and read | |
//!
//! Readers may be asked for the web config's password ([`gate`]); it opens nothing that actuates.
//! A credential is a bearer token or an allowed client certificate, see [`auth`]. What needs one
//! actuates; it all stands in [`actuating`], and only there, behind one gate.

pub mod alert;
pub mod auth;
pub mod basic_auth;
mod body;
pub mod exposition;
mod extra;
pub mod gate;
mod gpus;
pub(crate) mod heard;
pub mod hook;
mod lease;
pub mod listen;
mod look;
pub mod metrics;
pub mod node;
mod operate;
pub mod page;
pub mod pull;
mod refusal;
pub mod security;
pub mod snapshot;
mod sparing;
pub mod status;
pub mod tls;
mod trouble;
pub mod trust;
pub mod webconfig;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, delete, get, post};
use tokio::sync::Semaphore;

use crate::guard::Shared;
use crate::policy::Level;

pub use exposition::Exposition;
pub use heard::Names;

use alert::{InVain, LeaseLines};
use auth::{Refused, Tokens};
use heard::Heard;
use hook::HookCounters;
use node::Node;
use pull::PullCounters;
use refusal::Refusal;
use trouble::Troubles;

/// Reads the configuration again; says what is wrong with it. May block.
pub type Reload = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What the handlers share.
pub struct Web {
    pub shared: Arc<Shared>,
    pub hook_counters: HookCounters,
    pub pull_counters: PullCounters,
    settings: RwLock<Arc<Settings>>,
    reload: Reload,
    hook_room: Semaphore,
    refused: Refused,
    lease_lines: LeaseLines,
    in_vain: InVain,
    troubles: Troubles,
    heard: Heard,
}

/// The configured part; replaced as a whole by a reload.
pub struct Settings {
    pub tokens: Arc<Tokens>,
    /// Client certificates with one of these names may actuate.
    pub client_allowed_sans: Vec<String>,
    /// Time to live of a firing alert without renewal.
    pub lease: Duration,
    /// What an alert without `guard_action` asks for, by its `severity`. Empty: nothing.
    pub severity_map: BTreeMap<String, Level>,
    pub node: Node,
}

impl Web {
    pub fn new(shared: Arc<Shared>, settings: Settings, reload: Reload) -> Self {
        Self {
            shared,
            hook_counters: HookCounters::default(),
            pull_counters: PullCounters::default(),
            settings: RwLock::new(Arc::new(settings)),
            reload,
            hook_room: Semaphore::new(hook::ROOM),
            refused: Refused::default(),
            lease_lines: LeaseLines::default(),
            in_vain: InVain::default(),
            troubles: Troubles::default(),
            heard: Heard::default(),
        }
    }

    /// For whom heartbeats come.
    pub fn heard(&self) -> Names {
        self.heard.names()
    }

    pub fn settings(&self) -> Arc<Settings> {
        let settings = self.settings.read();
        settings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// For requests that come from now on.
    pub fn reconfigure(&self, settings: Settings) {
        let held = self.settings.write();
        *held.unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

/// What actuates, and health: alone on `--web.actuate.listen-address`, or else beside what only
/// shows, which `serve` adds.
pub fn router(web: Arc<Web>) -> Router {
    let mut router = Router::new();
    for (path, methods) in actuating(&web) {
        router = router.route(path, methods);
    }
    finish(router, web)
}

/// The listener of scrapers and people, where `--web.actuate.listen-address` names another one for
/// what actuates: that is refused here, with or without a credential.
pub fn reading_router(web: Arc<Web>) -> Router {
    let mut router = Router::new();
    for (path, _) in actuating(&web) {
        router = router.route(path, any(elsewhere));
    }
    finish(router, web)
}

/// Paths that have their own gate: the web configuration's password and rate limit, which are
/// there for readers, don't apply.
pub fn actuates(path: &str) -> bool {
    let api = ["/api/v1/leases", "/api/v1/pauses"];
    ["/hook", "/-/reload", "/-/detach", "/-/attach"].contains(&path)
        || api.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// What actuates, each behind the gate. A wrong method is answered 405 before the gate.
fn actuating(web: &Arc<Web>) -> Vec<(&'static str, MethodRouter<Arc<Web>>)> {
    let gate = from_fn_with_state(web.clone(), auth::require);
    let count = from_fn_with_state(web.clone(), hook::count);
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
        *methods = if *path == "/hook" {
            gated.layer(count.clone())
        } else {
            gated
        };
    }
    routes
}

fn finish(router: Router<Arc<Web>>, web: Arc<Web>) -> Router {
    router
        .route("/-/healthy", get(operate::healthy))
        .route("/-/ready", get(operate::ready))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "no such path") })
        .with_state(web)
}

async fn elsewhere() -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        "this listener only shows: what actuates answers on --web.actuate.listen-address",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    use axum::body::Body;
    use axum::http::{Method, Request};
    use tower::ServiceExt as _;

    use crate::guard::{Clock, Live};
    use crate::policy::Chain;
    use crate::policy::chain::Expected;
    use crate::units::Moment;

    fn web() -> Arc<Web> {
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(
            Clock::start(1.0),
            chain,
            Live::default(),
            Box::new(|_, _| true),
        );
        let settings = Settings {
            tokens: Arc::new(Tokens::none()),
            client_allowed_sans: vec!["alertmanager.example".to_owned()],
            lease: Duration::from_secs(30),
            severity_map: BTreeMap::new(),
            node: Node::default(),
        };
        Arc::new(Web::new(Arc::new(shared), settings, Box::new(|| Ok(()))))
    }

    /// Also those that somebody adds later: this walks the router's own list.
    #[tokio::test]
    async fn no_route_that_actuates_has_a_method_past_the_gate() {
        let web = web();
        let mut gated = 0;
        for (path, _) in actuating(&web) {
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
                let response = router(web.clone()).oneshot(request).await.unwrap();
                let code = response.status().as_u16();
                assert!(matches!(code, 401 | 405), "{method} {path}: {code}");
                gated += u32::from(code == 401);
            }
        }
        assert_eq!(gated, 8, "one method a path, else this test saw nothing");
    }
}
