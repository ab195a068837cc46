//! A guard's web without a guard: two GPUs are enlisted, nobody works on them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use thermal_guard::device::{Identity, Uuid};
use thermal_guard::guard::{Clock, Live, Shared, Station, Tick};
use thermal_guard::policy::chain::Expected;
use thermal_guard::policy::lease::Holder;
use thermal_guard::policy::{Asked, Chain, Decision, Lease, Level};
use thermal_guard::units::Moment;
use thermal_guard::web::auth::Tokens;
use thermal_guard::web::hook::HookSnapshot;
use thermal_guard::web::node::Node;
use thermal_guard::web::{self, Settings, Web};
use tower::ServiceExt as _;

use crate::fleet;

/// The UUIDs in the recorded bodies.
pub(crate) const GPU_0: &str = "GPU-11111111-2222-3333-4444-555555555555";
pub(crate) const GPU_1: &str = "GPU-66666666-7777-8888-9999-000000000000";
pub(crate) const MIG_ON_1: &str = "MIG-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Bench {
    pub(crate) web: Arc<Web>,
    pub(crate) app: Router,
    pub(crate) state: TempDir,
    pub(crate) reloads: Arc<AtomicUsize>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// How many alerts came to `outcome`.
    pub(crate) fn count(&self, outcome: &str) -> u64 {
        assert_eq!(self.code, 200, "{}", self.text);
        self.json()[outcome].as_u64().unwrap()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("tokens");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let mut settings = settings(Tokens::from_file(file).unwrap());
        change(&mut settings);
        let shared = Arc::new(shared());
        for (index, uuid) in [GPU_0, GPU_1].into_iter().enumerate() {
            let identity = Arc::new(identity(uuid, u32::try_from(index).unwrap()));
            shared.enlist(Arc::new(Station::new(identity)));
        }
        shared.driver_status().ready = true;
        let reloads = Arc::new(AtomicUsize::new(0));
        let counter = reloads.clone();
        let reload = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let web = Arc::new(Web::new(shared, settings, Box::new(reload)));
        let app = web::router(web.clone());
        Self {
            web,
            app,
            state,
            reloads,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.app, request).await
    }

    /// As Alertmanager does it.
    pub(crate) async fn deliver(&self, body: impl Into<Body>) -> Answer {
        self.send(hook_request(body)).await
    }

    pub(crate) async fn deliver_json(&self, body: &Value) -> Answer {
        self.deliver(body.to_string()).await
    }

    /// A delivery of alerts.
    pub(crate) async fn alerts(&self, alerts: &[Value]) -> Answer {
        self.deliver_json(&delivery(alerts)).await
    }

    pub(crate) fn asked(&self, uuid: &str) -> Asked {
        let now = self.web.shared.clock.wall();
        self.web.shared.leases().asked(now, &Uuid::new(uuid))
    }

    pub(crate) fn alert_level(&self, uuid: &str) -> Level {
        self.asked(uuid).alert
    }

    pub(crate) fn leases(&self) -> Vec<(String, Holder, Lease)> {
        let table = self.web.shared.leases();
        let mut all = Vec::new();
        for uuid in [GPU_0, GPU_1] {
            let gpu = Uuid::new(uuid);
            all.extend(table.of(&gpu).map(|(h, l)| (uuid.to_owned(), h, *l)));
        }
        all
    }

    /// Whether anything that a request could have moved has moved.
    pub(crate) fn is_untouched(&self) -> bool {
        let shared = &self.web.shared;
        let wall = shared.clock.wall();
        let paused = [GPU_0, GPU_1].map(|gpu| shared.inputs(&Uuid::new(gpu), wall).paused_until);
        self.leases().is_empty()
            && paused == [None, None]
            && !shared.is_detached()
            && shared.chain().last().is_none()
            && self.reloads.load(Ordering::SeqCst) == 0
    }

    /// The GPU's worker has just decided this.
    pub(crate) fn decided(&self, uuid: &str, decision: Decision) {
        let station = self.web.shared.station(&Uuid::new(uuid)).unwrap();
        let identity = Identity::clone(&station.identity);
        station.publish(Tick {
            at: self.web.shared.clock.wall(),
            decision,
            ..fleet::bare(identity)
        });
    }

    pub(crate) fn counters(&self) -> HookSnapshot {
        self.web.hook_counters.snapshot()
    }
}

pub(crate) async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        code: head.status,
        headers: head.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

pub(crate) fn settings(tokens: Tokens) -> Settings {
    let listen: SocketAddr = "0.0.0.0:10835".parse().unwrap();
    Settings {
        tokens: Arc::new(tokens),
        client_allowed_sans: Vec::new(),
        lease: Duration::from_secs(30),
        severity_map: BTreeMap::new(),
        node: Node::new("n1.example", &["10.0.0.5".parse().unwrap()], &[listen]),
    }
}

pub(crate) fn shared() -> Shared {
    let chain = Chain::new(Expected::Auto, None, Moment::START);
    let live = Live {
        poll_interval: Duration::from_millis(100),
        ..Live::default()
    };
    Shared::new(Clock::start(1.0), chain, live, Box::new(|_, _| true))
}

pub(crate) fn identity(uuid: &str, index: u32) -> Identity {
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
        mig_uuids: (index == 1)
            .then(|| MIG_ON_1.to_owned())
            .into_iter()
            .collect(),
    }
}

pub(crate) fn hook_request(body: impl Into<Body>) -> Request<Body> {
    Request::post("/hook")
        .header(header::USER_AGENT, "Alertmanager/0.25.0")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(body.into())
        .unwrap()
}

/// A body as Alertmanager 0.25 composes it.
pub(crate) fn delivery(alerts: &[Value]) -> Value {
    json!({
        "receiver": "guard", "status": "firing", "alerts": alerts,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093", "version": "4",
        "groupKey": "{}:{}", "truncatedAlerts": 0,
    })
}

/// An alert about the first GPU that asks for `action`.
pub(crate) fn alert(status: &str, action: &str) -> Value {
    json!({
        "status": status,
        "labels": {"alertname": "GpuHot", "guard_action": action, "uuid": GPU_0},
        "annotations": {},
        "startsAt": "2026-11-23T08:06:41.752Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": "febc53a2d4c8b45d",
    })
}

/// The same alert with other labels, and so another fingerprint.
pub(crate) fn labelled(status: &str, labels: &[(&str, &str)]) -> Value {
    let labels: BTreeMap<_, _> = labels.iter().copied().collect();
    let mut alert = alert(status, "gradual");
    alert["labels"] = json!(labels);
    alert.as_object_mut().unwrap().remove("fingerprint");
    alert
}

pub(crate) fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/webhooks/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
