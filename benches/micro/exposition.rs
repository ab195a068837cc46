//! Cost of a scrape without its connection, by format and number of GPUs: after a tick of every GPU,
//! and where no GPU has ticked since the last scrape.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, header};
use criterion::{BatchSize, BenchmarkId, Criterion};
use thermal_guard::clock::Clock;
use thermal_guard::guard::state::{GpuHandle, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{Chain, Settings};
use thermal_guard::sim::node::Node;
use thermal_guard::sim::profile;
use thermal_guard::units::Moment;
use thermal_guard::web::metrics;
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, ServiceView};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::common::fleet;

/// A node in virtual time whose ticks are shown on the wall's.
struct Shown {
    node: Node,
    gpu_handles: Vec<Arc<GpuHandle>>,
    router: Router,
    runtime: Runtime,
}

impl Shown {
    fn new(gpus: usize) -> Self {
        let card = profile::named("h100").expect("a known card");
        let mut node = Node::new(&vec![card; gpus], &Settings::default());
        let gpu_handle = |tick: &thermal_guard::guard::Tick| GpuHandle::new(tick.identity.clone());
        let gpu_handles: Vec<_> = node.run(60).iter().map(gpu_handle).map(Arc::new).collect();
        let chain = Chain::new(Expected::No, None, Moment::START);
        let shared = Shared::new(Clock::start(1.0), chain, Live::default());
        for gpu_handle in &gpu_handles {
            shared.register(gpu_handle.clone());
        }
        let service = Box::new(ServiceView::default);
        let snapshots = Snapshots::new(Arc::new(shared), Build::current(), service);
        let mut shown = Self {
            node,
            gpu_handles,
            router: metrics::router(Arc::new(snapshots), fleet::counters(), "/metrics"),
            runtime: Builder::new_current_thread().build().expect("a runtime"),
        };
        shown.tick();
        shown
    }

    fn tick(&mut self) {
        for (gpu_handle, mut tick) in self.gpu_handles.iter().zip(self.node.step()) {
            // Fresh for as long as this may take.
            tick.at = Moment::from_start(Duration::from_secs(86400));
            gpu_handle.publish(tick);
        }
    }

    fn scrape(&self, accept: &str) -> Bytes {
        let request = Request::get("/metrics").header(header::ACCEPT, accept);
        let request = request.body(Body::empty()).expect("a request");
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await;
            let body = response.expect("an answer").into_body();
            to_bytes(body, usize::MAX).await.expect("a text")
        })
    }
}

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape");
    let formats = [
        ("classic", "text/plain"),
        ("OpenMetrics", "application/openmetrics-text;version=1.0.0"),
    ];
    for (name, accept) in formats {
        for gpus in [1, 8, 16] {
            let shown = Shown::new(gpus);
            let text = shown.scrape(accept);
            let text = std::str::from_utf8(&text).expect("a text");
            assert!(text.contains("thermal_guard_gpu_temperature_celsius"));
            let id =
                |after: &str| BenchmarkId::from_parameter(format!("{name}, {gpus} GPUs, {after}"));
            group.bench_function(id("unchanged"), |bencher| {
                bencher.iter(|| black_box(shown.scrape(accept)));
            });
            let shown = std::cell::RefCell::new(shown);
            group.bench_function(id("all ticked"), |bencher| {
                bencher.iter_batched(
                    || shown.borrow_mut().tick(),
                    |()| black_box(shown.borrow().scrape(accept)),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}
