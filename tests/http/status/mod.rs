//! The status API, its event stream and the page.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

mod api;
mod html;
mod states;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use serde_json::Value;
use thermal_guard::clock::Clock;
use thermal_guard::device::Missing;
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::{GpuHandle, Live, Shared};
use thermal_guard::policy::Chain;
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::units::Moment;
use thermal_guard::web::http::peer::Peer;
use thermal_guard::web::page;
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, GpuView, ServiceView, Snapshot};
use thermal_guard::web::status::{self, Status, Streams};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::common::fleet;

/// A service over one GPU, that GPU's post, and the switch that ends it.
struct Service {
    router: Router,
    gpu_handle: Arc<GpuHandle>,
    clock: Clock,
    closing: watch::Sender<bool>,
}

fn service(name: &str) -> Service {
    let clock = Clock::start(1.0);
    let chain = Chain::new(Expected::No, None, Moment::START);
    let shared = Arc::new(Shared::new(clock, chain, Live::default()));
    let tick = fleet::bare(fleet::identity(0, name));
    let gpu_handle = Arc::new(GpuHandle::new(tick.identity.clone()));
    shared.register(gpu_handle.clone());
    let rest = Box::new(ServiceView::default);
    let snapshots = Arc::new(Snapshots::new(shared, Build::current(), rest));
    let (closing, closed) = watch::channel(false);
    let streams = Streams::new(snapshots.clone(), closed);
    let router = status::router(snapshots.clone(), streams.clone())
        .merge(page::router(snapshots, streams, "/metrics"));
    let service = Service {
        router,
        gpu_handle,
        clock,
        closing,
    };
    service.tick(name);
    service
}

impl Service {
    fn tick(&self, name: &str) {
        self.gpu_handle.publish(Tick {
            at: self.clock.wall(),
            ..fleet::bare(fleet::identity(0, name))
        });
    }

    async fn watch(&self, path: &str, address: &str) -> Response<Body> {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(Peer {
            address: format!("{address}:50000").parse().unwrap(),
            certificate: None,
        });
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Response<Body> {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn text(&self, path: &str) -> String {
        let body = self.get(path).await.into_body();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

/// The fleet without what needs a notice.
fn calm_snapshot() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    snapshot.gpus.truncate(1);
    snapshot
}
