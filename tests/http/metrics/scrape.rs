//! Scrapes over the router: content type, compression, groups, and no stale text.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use thermal_guard::clock::Clock;
use thermal_guard::guard::state::{GpuHandle, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::ask::lease::Holder;
use thermal_guard::policy::{Chain, Lease, Level};
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, ServiceView};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use super::*;

/// A service with one GPU that has just ticked.
fn service() -> Router {
    node().router
}

struct Node {
    router: Router,
    shared: Arc<Shared>,
    gpu_handle: Arc<GpuHandle>,
}

impl Node {
    async fn scrape(&self) -> String {
        text(get(&self.router, "/metrics", &[]).await).await
    }

    /// One that is like the one before but for this.
    fn tick(&self, core: f64) {
        let before = self.gpu_handle.latest().unwrap();
        let mut tick = Tick::clone(&before);
        tick.reading.core = Ok(thermal_guard::units::Celsius::new(core));
        self.gpu_handle.publish(tick);
    }
}

fn node() -> Node {
    let clock = Clock::start(1.0);
    let chain = Chain::new(Expected::No, None, Moment::START);
    let shared = Arc::new(Shared::new(clock, chain, Live::default()));
    let mut tick = fleet::bare(fleet::identity(0, "NVIDIA A100 80GB PCIe"));
    tick.at = clock.wall();
    let gpu_handle = Arc::new(GpuHandle::new(tick.identity.clone()));
    gpu_handle.publish(tick);
    shared.register(gpu_handle.clone());
    let service = Box::new(ServiceView::default);
    let snapshots = Snapshots::new(shared.clone(), Build::current(), service);
    let counters = fleet::counters();
    let router = metrics::router(Arc::new(snapshots), counters, "/metrics");
    Node {
        router: router.layer(CompressionLayer::new()),
        shared,
        gpu_handle,
    }
}

async fn get(
    service: &Router,
    uri: &str,
    headers: &[(header::HeaderName, &str)],
) -> Response<Body> {
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    service.clone().oneshot(request).await.unwrap()
}

async fn body(response: Response<Body>) -> Vec<u8> {
    to_bytes(response.into_body(), 1 << 20)
        .await
        .unwrap()
        .to_vec()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(body(response).await).unwrap()
}

#[tokio::test]
async fn the_content_type_says_what_the_body_is() {
    let service = service();
    let plain = get(&service, "/metrics", &[]).await;
    let kind = plain.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    assert!(!text(plain).await.contains("# EOF"));

    let accept = [(header::ACCEPT, "application/openmetrics-text;version=1.0.0")];
    let open = get(&service, "/metrics", &accept).await;
    let kind = open.headers()[header::CONTENT_TYPE].to_str().unwrap();
    assert_eq!(
        kind,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(text(open).await.ends_with("# EOF\n"));
}

#[tokio::test]
async fn gzip_is_for_those_who_accept_it() {
    let service = service();
    let accept = [(header::ACCEPT_ENCODING, "gzip")];
    let zipped = get(&service, "/metrics", &accept).await;
    assert_eq!(zipped.headers()[header::CONTENT_ENCODING], "gzip");
    let zipped = body(zipped).await;
    let plain = body(get(&service, "/metrics", &[]).await).await;
    assert_eq!(zipped[..2], [0x1f, 0x8b]);
    assert!(
        zipped.len() * 4 < plain.len(),
        "{} of {}",
        zipped.len(),
        plain.len()
    );
}

#[tokio::test]
async fn collect_picks_groups_and_an_unknown_one_is_refused() {
    let service = service();
    let fast = get(&service, "/metrics?collect[]=guard", &[]).await;
    let fast = text(fast).await;
    assert!(fast.contains("thermal_guard_state{") && fast.contains("thermal_guard_gpu_up{"));
    assert!(!fast.contains("process_") && !fast.contains("thermal_guard_gpu_info"));

    let both = get(
        &service,
        "/metrics?collect%5B%5D=gpu&collect%5B%5D=process",
        &[],
    )
    .await;
    let both = text(both).await;
    assert!(both.contains("thermal_guard_gpu_info{") && both.contains("process_open_fds"));
    assert!(!both.contains("thermal_guard_state{"));

    let wrong = get(
        &service,
        "/metrics?collect[]=guard&collect[]=%3Cscript%3E",
        &[],
    )
    .await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
    assert!(!text(wrong).await.contains("script"), "nothing is echoed");
    let unrelated = get(&service, "/metrics?target=x", &[]).await;
    assert_eq!(unrelated.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_scrape_tells_of_the_one_before() {
    let service = service();
    let name = "thermal_guard_last_scrape_timestamp_seconds ";
    let first = text(get(&service, "/metrics", &[]).await).await;
    assert!(samples(&first, name).is_empty());
    let second = text(get(&service, "/metrics", &[]).await).await;
    assert_eq!(samples(&second, name).len(), 1);
}

#[tokio::test]
async fn a_scrape_right_after_a_change_shows_it() {
    let node = node();
    node.scrape().await;
    let mut before = node.scrape().await;
    for core in 40..60 {
        node.tick(f64::from(core));
        let text = node.scrape().await;
        let degrees = format!("}} {core}.0");
        let shown = samples(&text, "thermal_guard_gpu_temperature_celsius");
        assert!(shown[0].ends_with(&degrees), "{shown:?}");
        assert!(text != before, "the reading is new");
        before = text;
    }
    let uuid = &node.gpu_handle.identity.uuid;
    let shown = async |series: &str| samples(&node.scrape().await, series).concat();
    let lease = Lease {
        level: Level::Gradual,
        since: node.shared.clock.wall(),
        expires: node.shared.clock.wall() + Duration::from_secs(60),
        starts_at: Duration::ZERO,
    };
    let now = node.shared.clock.wall();
    node.shared.grant(now, uuid, Holder::Manual, lease);
    assert!(
        shown("thermal_guard_lease_age_seconds")
            .await
            .contains(" 0.")
    );
    node.gpu_handle.count_panic();
    assert!(shown("thermal_guard_worker_restarts").await.ends_with(" 1"));
    node.shared.detach();
    assert!(shown("thermal_guard_detached").await.ends_with(" 1"));
    node.shared.unregister(uuid);
    assert!(shown("thermal_guard_gpus ").await.ends_with(" 0"));
}
