//! What comes over HTTP: the webhook, the operator's API, and what an Alertmanager lists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, Uri, header};
use thermal_guard::device::{Identity, Uuid};
use thermal_guard::fuzzing;
use thermal_guard::guard::{Clock, Live, Shared, Station};
use thermal_guard::policy::chain::Expected;
use thermal_guard::policy::lease::CAPACITY;
use thermal_guard::policy::{Chain, Level};
use thermal_guard::units::Moment;
use thermal_guard::web::auth::Tokens;
use thermal_guard::web::node::Node;
use thermal_guard::web::{self, Settings, Web};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

/// The UUIDs in the recorded bodies.
const GPUS: [&str; 2] = [
    "GPU-11111111-2222-3333-4444-555555555555",
    "GPU-66666666-7777-8888-9999-000000000000",
];

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A guard's web with two GPUs enlisted that nobody works on.
struct Rig {
    web: Arc<Web>,
    app: Router,
    runtime: Runtime,
}

impl Rig {
    fn new() -> Self {
        let tokens = super::written("tokens", format!("{TOKEN}\n").as_bytes());
        let severities = [("critical", Level::Emergency), ("warning", Level::Gradual)];
        let settings = Settings {
            tokens: Arc::new(Tokens::from_file(tokens).expect("a token")),
            client_allowed_sans: Vec::new(),
            lease: Duration::from_secs(30),
            severity_map: BTreeMap::from(severities.map(|(name, level)| (name.to_owned(), level))),
            node: Node::new(
                "n1.example",
                &[],
                &["0.0.0.0:10835".parse().expect("address")],
            ),
        };
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let shared = Shared::new(
            Clock::start(1.0),
            chain,
            Live::default(),
            Box::new(|_, _| true),
        );
        for (index, uuid) in (0..).zip(GPUS) {
            shared.enlist(Arc::new(Station::new(Arc::new(identity(index, uuid)))));
        }
        shared.driver_status().ready = true;
        let web = Arc::new(Web::new(Arc::new(shared), settings, Box::new(|| Ok(()))));
        Self {
            app: web::router(web.clone()),
            web,
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
        mig_uuids: vec![format!("MIG-aaaaaaaa-bbbb-cccc-dddd-{index:012}")],
    }
}

thread_local! {
    static RIG: Rig = Rig::new();
}

/// `POST /hook` with a credential: a body is taken or refused, and what it leaves behind is bounded.
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

/// What an operator may send: the first byte picks the path, or is a part of it.
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
        fuzzing::pulled(&rig.web, body);
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
    let table = rig.web.shared.leases();
    for gpu in GPUS {
        let held = table.of(&Uuid::new(gpu)).count();
        // And an operator's.
        assert!(held <= CAPACITY + 1, "{held} leases on one GPU");
    }
}
