//! The web half of `serve`: credentials, routers, listeners.

use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use crate::alerts::target::node::Node;
use crate::alerts::{Desk, Settings};
use crate::cli::flags::Flags;
use crate::config::{Config, Mode};
use crate::guard::state::Shared;
use crate::registry::Registry;
use crate::web;
use crate::web::access::actuators::{Actuators, Tokens};
use crate::web::access::live_config::LiveWebConfig;
use crate::web::access::readers;
use crate::web::actuate::reload_counters::ReloadCounters;
use crate::web::http::{listen, socket};
use crate::web::snapshot::snapshots::Snapshots;
use crate::web::snapshot::{AppView, Build, ServiceView};
use crate::web::status::Streams;
use crate::web::{App, metrics, page, status};

use super::listeners::Listeners;
use super::reload::Reloader;

/// Who may actuate, by the configuration.
pub(crate) fn actuators(flags: &Flags, config: &Config) -> anyhow::Result<Actuators> {
    let tokens = match &config.hook.bearer_token_file {
        Some(path) => Tokens::from_file(path.clone())?,
        // Beside allowed certificates, too: the client commands have none.
        None => Tokens::in_state_dir(&flags.state_dir()),
    };
    Ok(Actuators::new(
        tokens,
        config.hook.client_allowed_sans.clone(),
    ))
}

/// How alerts are read.
pub(crate) fn desk(config: &Config, listeners: &Listeners, shared: &Arc<Shared>) -> Arc<Desk> {
    let settings = Settings {
        lease: config.hook.lease,
        severity_map: config.hook.severity_map.clone(),
        node: Node::this_machine(&listeners.addresses()).also(&config.node_names),
    };
    Arc::new(Desk::new(shared.clone(), settings))
}

/// The running web.
pub(crate) struct WebService {
    tasks: JoinSet<()>,
    /// Maximum number of connections per listener.
    connections: usize,
    closing: watch::Sender<bool>,
}

impl WebService {
    pub(crate) fn start(
        listeners: Listeners,
        security: &Arc<LiveWebConfig>,
        app: &Arc<App>,
        snapshots: &Arc<Snapshots>,
        counters: Registry,
        telemetry_path: &str,
    ) -> Self {
        let count = listeners.everything.len() + listeners.actuating.len();
        let mut web_service = Self {
            tasks: JoinSet::new(),
            connections: socket::connections_each(count),
            closing: watch::Sender::new(false),
        };
        let separate = !listeners.actuating.is_empty();
        let streams = Streams::new(snapshots.clone(), web_service.closing.subscribe());
        let shows = metrics::router(snapshots.clone(), counters, telemetry_path)
            .merge(page::router(
                snapshots.clone(),
                streams.clone(),
                telemetry_path,
            ))
            .merge(status::router(snapshots.clone(), streams))
            // All but event streams, which its default leaves alone. A scrape's text is another one
            // after each tick: the fastest level takes a third of the time, for a tenth more bytes.
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
        let router = if separate {
            web::reading_router
        } else {
            web::router
        };
        let everything = readers::guarded(router(app.clone()).merge(shows), Arc::clone(security));
        for listener in listeners.everything {
            web_service.serve(listener, Arc::clone(security), everything.clone());
        }
        let actuating = readers::guarded(web::router(app.clone()), Arc::clone(security));
        for listener in listeners.actuating {
            web_service.serve(listener, Arc::clone(security), actuating.clone());
        }
        web_service
    }

    fn serve(&mut self, listener: TcpListener, security: Arc<LiveWebConfig>, router: Router) {
        let mut closing = self.closing.subscribe();
        let closed = async move {
            // An error: the web service is gone, so there is nothing left to serve.
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

    /// Closes the listeners and waits for pending answers.
    pub(crate) async fn close(mut self) {
        let _ = self.closing.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

pub(crate) fn snapshots(
    app: &Arc<App>,
    reloader: &Reloader,
    (mode, simulated): (Mode, bool),
) -> Arc<Snapshots> {
    let desk = app.desk.clone();
    let shared = desk.shared.clone();
    let (apps, files, reloader) = (reloader.apps(), reloader.env_files(), reloader.clone());
    let service = Box::new(move || ServiceView {
        node: desk.settings().node.name().to_owned(),
        names: desk.settings().node.names(),
        heard: desk.heard(),
        mode,
        simulated,
        configuration: reloader.configuration(),
        apps: (apps.snapshot().into_iter())
            .map(|status| AppView {
                env_file: files.of(&status.name),
                status,
            })
            .collect(),
    });
    Arc::new(Snapshots::new(shared, Build::current(), service))
}

/// The counters of the whole service.
pub(crate) fn counters(app: &App, reloads: &ReloadCounters) -> Registry {
    let mut registry = Registry::default();
    app.hook_counters.register(&mut registry);
    app.desk.pull_counters.register(&mut registry);
    app.desk.shared.events.log_counters.register(&mut registry);
    app.desk
        .shared
        .events
        .notify_counters
        .register(&mut registry);
    reloads.register(&mut registry);
    registry
}
