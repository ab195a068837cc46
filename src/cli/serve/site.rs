//! The web half of `serve`: credentials, routers, listeners.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::cli::Flags;
use crate::config::{Config, Mode};
use crate::guard::{Apps, Shared};
use crate::policy::AppMode;
use crate::web::alert::{Action, Outcome, Status};
use crate::web::auth::Tokens;
use crate::web::exposition::Exposition;
use crate::web::gate;
use crate::web::node::Node;
use crate::web::security::Security;
use crate::web::snapshot::{
    AlertCount, AppSnapshot, Build, DurationHistogram, Extra, HookSnapshot, ReloadStatus,
};
use crate::web::status::Streams;
use crate::web::{self, Reload, Settings, Web, hook, listen, metrics, page, status};

use super::env_files::EnvFiles;

/// What actuates answers only there.
const ACTUATE: &str = "--web.actuate.listen-address";

/// Listeners, bound before anything else happens: a port that is taken changes nothing on a GPU.
pub(super) struct Doors {
    everything: Vec<TcpListener>,
    actuating: Vec<TcpListener>,
}

impl Doors {
    pub(super) async fn open(flags: &Flags) -> anyhow::Result<Self> {
        Ok(Self {
            everything: bind_all("--web.listen-address", &flags.listen_address).await?,
            actuating: bind_all(ACTUATE, &flags.actuate_listen_address).await?,
        })
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let all = self.everything.iter().chain(&self.actuating);
        all.filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

/// What the hook and the API need of the configuration.
pub(super) fn settings(flags: &Flags, config: &Config, doors: &Doors) -> anyhow::Result<Settings> {
    let tokens = match &config.hook.bearer_token_file {
        Some(path) => Tokens::from_file(path.clone())?,
        None if config.hook.client_allowed_sans.is_empty() => {
            Tokens::in_state_dir(&flags.state_dir())
        }
        None => Tokens::none(),
    };
    Ok(Settings {
        tokens: Arc::new(tokens),
        client_allowed_sans: config.hook.client_allowed_sans.clone(),
        lease: config.hook.lease,
        severity_map: config.hook.severity_map.clone(),
        node: Node::this_machine(&doors.addresses()).also(&config.node_names),
    })
}

/// What the metrics tell of the service, beside the GPUs.
pub(super) struct About {
    pub(super) mode: Mode,
    pub(super) simulated: bool,
    pub(super) reload: Mutex<ReloadStatus>,
}

/// The running web.
pub(super) struct Site {
    tasks: JoinSet<()>,
    /// At a time, of each listener.
    connections: usize,
    closing: watch::Sender<bool>,
}

impl Site {
    pub(super) fn start(
        doors: Doors,
        security: &Arc<Security>,
        web: &Arc<Web>,
        exposition: &Arc<Exposition>,
        telemetry_path: &str,
    ) -> Self {
        let listeners = doors.everything.len() + doors.actuating.len();
        let mut site = Self {
            tasks: JoinSet::new(),
            connections: listen::connections_each(listeners),
            closing: watch::Sender::new(false),
        };
        let separate = !doors.actuating.is_empty();
        let streams = Streams::new(exposition.clone(), site.closing.subscribe());
        let shows = metrics::router(exposition.clone(), telemetry_path)
            .merge(page::router(
                exposition.clone(),
                streams.clone(),
                telemetry_path,
            ))
            .merge(status::router(exposition.clone(), streams))
            // All but event streams, which its default leaves alone. A scrape's text is another one
            // after each tick: the fastest level takes a third of the time, for a tenth more bytes.
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
        let router = if separate {
            web::reading_router
        } else {
            web::router
        };
        let everything = gate::guarded(router(web.clone()).merge(shows), Arc::clone(security));
        for listener in doors.everything {
            site.serve(listener, Arc::clone(security), everything.clone());
        }
        let actuating = gate::guarded(web::router(web.clone()), Arc::clone(security));
        for listener in doors.actuating {
            site.serve(listener, Arc::clone(security), actuating.clone());
        }
        site
    }

    fn serve(&mut self, listener: TcpListener, security: Arc<Security>, router: Router) {
        let mut closing = self.closing.subscribe();
        let closed = async move {
            // An error: the site is gone, and with it the reason to serve.
            let _ = closing.wait_for(|closing| *closing).await;
        };
        let connections = self.connections;
        self.tasks.spawn(listen::serve(
            listener,
            connections,
            security,
            router,
            closed,
        ));
    }

    /// Ends the listeners, and waits for answers under way.
    pub(super) async fn close(mut self) {
        let _ = self.closing.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

pub(super) fn web(shared: &Arc<Shared>, settings: Settings, reload: Reload) -> Arc<Web> {
    Arc::new(Web::new(shared.clone(), settings, reload))
}

pub(super) fn exposition(
    web: &Arc<Web>,
    apps: Arc<Apps>,
    files: Arc<EnvFiles>,
    about: Arc<About>,
) -> Arc<Exposition> {
    let shared = web.shared.clone();
    let web = web.clone();
    let rest = Box::new(move || Extra {
        node: web.settings().node.name().to_owned(),
        names: web.settings().node.names(),
        heard: web.heard(),
        mode: about.mode.name(),
        simulated: about.simulated,
        poll_interval: web.shared.live().poll_interval,
        hook: hook(web.hook_counters.snapshot()),
        pull: web.pull_counters.snapshot(),
        apps: apps
            .snapshot()
            .into_iter()
            .map(|status| app(status, &files))
            .collect(),
        reload: *about.reload.lock().unwrap_or_else(PoisonError::into_inner),
    });
    Arc::new(Exposition::new(shared, Build::current(), rest))
}

fn hook(counted: hook::HookSnapshot) -> HookSnapshot {
    let alert = |((status, action, result), count): ((Status, Action, Outcome), u64)| AlertCount {
        status: status.name(),
        action: action.name(),
        result: result.name(),
        count,
    };
    let duration = counted.request_duration;
    let bounds = duration.bounds.iter().copied().chain([f64::INFINITY]);
    HookSnapshot {
        requests: counted.requests.into_iter().collect(),
        alerts: counted.alerts.into_iter().map(alert).collect(),
        auth_failures: counted
            .auth_failures
            .iter()
            .map(|(why, n)| (why.name(), *n))
            .collect(),
        truncated_alerts: counted.truncated_alerts,
        durations: DurationHistogram {
            buckets: bounds.zip(duration.counts).collect(),
            sum_seconds: duration.sum,
        },
        last_success: counted.last_success,
    }
}

fn app(status: crate::guard::apps::AppStatus, files: &EnvFiles) -> AppSnapshot {
    AppSnapshot {
        file: files.of(&status.name),
        name: status.name,
        mode: match status.told.unwrap_or_default() {
            AppMode::Normal => "normal",
            AppMode::Gradual | AppMode::GradualBatch => "gradual",
            AppMode::Emergency => "emergency",
        },
        ok: status.notifications_ok,
        failed: status.notifications_failed,
        well: status.well,
    }
}

async fn bind_all(flag: &str, addresses: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = listen::bind(address).await;
        let listener = listener.map_err(|error| {
            let remedy = remedy(&error);
            anyhow::anyhow!("{flag}={address}: can't listen there: {error}; {remedy}")
        })?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another program does, perhaps another guard: stop it, or choose another port"
        }
        ErrorKind::PermissionDenied => "ports under 1024 are root's: choose another",
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: choose one that it has, or `:PORT` for all"
        }
        _ => "wanted: HOST:PORT, or `:PORT` for all addresses",
    }
}
