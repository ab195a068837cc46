//! HTTP bodies: the webhook, the operator's API, an Alertmanager's list of alerts, a Prometheus' answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri, header};
use serde_json::Value;
use thermal_guard::alerts::target::node::Node;
use thermal_guard::alerts::{Desk, Settings};
use thermal_guard::clock::Clock;
use thermal_guard::device::{Identity, Uuid};
use thermal_guard::fuzzing;
use thermal_guard::guard::state::{DriverStatus, GpuHandle, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::ask::lease::CAPACITY;
use thermal_guard::policy::{Chain, Level};
use thermal_guard::units::Moment;
use thermal_guard::web::access::actuators::{Actuators, Tokens};
use thermal_guard::web::{self, App};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// The UUIDs in the recorded bodies.
const GPUS: [&str; 2] = [
    "GPU-11111111-2222-3333-4444-555555555555",
    "GPU-66666666-7777-8888-9999-000000000000",
];

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A guard's web with two registered GPUs that have no workers.
struct Rig {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    app: Router,
    runtime: Runtime,
}

impl Rig {
    fn new() -> Self {
        let tokens = super::written("tokens", format!("{TOKEN}\n").as_bytes());
        let severities = [("critical", Level::Emergency), ("warning", Level::Gradual)];
        let tokens = Tokens::from_file(tokens).expect("a token");
        let settings = Settings {
            lease: Duration::from_secs(30),
            severity_map: BTreeMap::from(severities.map(|(name, level)| (name.to_owned(), level))),
            node: Node::new(
                "n1.example",
                &[],
                &["0.0.0.0:10835".parse().expect("address")],
            ),
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Arc::new(Shared::new(Clock::start(1.0), chain, Live::default()));
        for (index, uuid) in (0..).zip(GPUS) {
            shared.register(Arc::new(GpuHandle::new(Arc::new(identity(index, uuid)))));
        }
        shared.set_driver_status(DriverStatus {
            ready: true,
            ..shared.driver_status()
        });
        let desk = Arc::new(Desk::new(shared.clone(), settings));
        let actuators = Arc::new(Actuators::new(tokens, Vec::new()));
        let app = App::new(desk.clone(), actuators, Box::new(|| Ok(())));
        Self {
            app: web::router(Arc::new(app)),
            shared,
            desk,
            runtime: Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime"),
        }
    }

    fn send(&self, method: Method, path: Uri, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
            .body(Body::from(body.to_vec()))
            .expect("a request");
        self.runtime.block_on(async {
            let response = self.app.clone().oneshot(request).await.expect("infallible");
            let (head, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            (head.status, body.to_vec())
        })
    }
}

fn identity(index: u32, uuid: &str) -> Identity {
    Identity {
        uuid: Uuid::new(uuid),
        index,
        name: "NVIDIA A100-SXM4-80GB".to_owned(),
        pci_bus_id: format!("00000000:{:02X}:00.0", 0x0a + index),
        serial: None,
        vbios_version: None,
        driver_version: None,
        architecture: None,
        brand: None,
        instance_uuids: vec![format!("MIG-aaaaaaaa-bbbb-cccc-dddd-{index:012}")],
    }
}

thread_local! {
    static RIG: Rig = Rig::new();
}

/// `POST /hook` with a credential: a body is accepted or refused, and its effect is bounded.
pub(super) fn hook(body: &[u8]) {
    RIG.with(|rig| {
        let (code, answer) = rig.send(Method::POST, Uri::from_static("/hook"), body);
        assert!(matches!(code.as_u16(), 200 | 400 | 413), "{code}");
        let is_text = std::str::from_utf8(&answer).is_ok();
        assert!(
            is_text && answer.len() < 4096,
            "an answer repeats what was sent"
        );
        bounded(rig);
    });
}

/// Requests of an operator: the first byte chooses the path, or is a part of it.
pub(super) fn api(bytes: &[u8]) {
    let Some((&first, body)) = bytes.split_first() else {
        return;
    };
    let paths = ["/api/v1/leases", "/api/v1/pauses"];
    let path = paths[usize::from(first & 1)];
    RIG.with(|rig| {
        let code = if first & 2 == 0 {
            rig.send(Method::POST, Uri::from_static(path), body).0
        } else {
            let named = String::from_utf8_lossy(body);
            let Ok(uri) = format!("{path}/{named}").parse() else {
                return;
            };
            rig.send(Method::DELETE, uri, b"").0
        };
        assert!(code == 503 || !code.is_server_error(), "{code}");
        bounded(rig);
    });
}

/// The body of `GET /api/v2/alerts`.
pub(super) fn pulled(body: &[u8]) {
    RIG.with(|rig| {
        fuzzing::pulled(&rig.desk, body);
        bounded(rig);
    });
}

/// One alert of that list, as it is read if it is long.
pub(super) fn alert(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        assert!(fuzzing::alert(text), "read whole, it says something else");
    }
}

fn bounded(rig: &Rig) {
    let table = rig.shared.leases();
    for gpu in GPUS {
        let held = table.of(&Uuid::new(gpu)).count();
        // And an operator's.
        assert!(held <= CAPACITY + 1, "{held} leases on one GPU");
    }
}

/// An answer of Prometheus' query API: read as it comes, and the same as read at once.
pub(crate) fn queried(bytes: &[u8]) {
    let Some((series, samples)) = fuzzing::queried(bytes) else {
        return;
    };
    // A duplicate key is the last one's for a tree, and both for a stream.
    if let Ok(Value::Object(tree)) = serde_json::from_slice::<Value>(bytes) {
        let result = tree.get("data").and_then(|data| data.get("result"));
        let result = result.and_then(Value::as_array).map_or(0, Vec::len);
        let listed = tree
            .get("data")
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        assert!(
            series >= result.max(listed),
            "{series} of {result} and {listed}"
        );
        assert!(samples <= bytes.len(), "{samples}");
    }
}
