//! A guard's web without a guard: two GPUs are registered, without workers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use prometheus_client::encoding::prometheus_text;
use serde_json::{Value, json};
use tempfile::TempDir;
use thermal_guard::alerts::pull::counters::State;
use thermal_guard::alerts::target::node::Node;
use thermal_guard::alerts::{Action, Desk, Outcome, Settings, Status};
use thermal_guard::clock::Clock;
use thermal_guard::device::{Identity, Uuid};
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::{DriverStatus, GpuHandle, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::ask::lease::Holder;
use thermal_guard::policy::{Asked, Chain, Decision, Lease, Level};
use thermal_guard::registry::Registry;
use thermal_guard::units::Moment;
use thermal_guard::web::access::actuators::{Actuators, Tokens};
use thermal_guard::web::{self, App};
use tower::ServiceExt as _;

use crate::common::fleet;

/// The UUIDs in the recorded bodies.
pub(crate) const GPU_0: &str = "GPU-11111111-2222-3333-4444-555555555555";
pub(crate) const GPU_1: &str = "GPU-66666666-7777-8888-9999-000000000000";
pub(crate) const MIG_ON_1: &str = "MIG-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub(crate) struct Bench {
    pub(crate) desk: Arc<Desk>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) state: TempDir,
    pub(crate) reloads: Arc<AtomicUsize>,
}

/// The answer to a request.
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

    /// How many alerts had that outcome.
    pub(crate) fn count(&self, outcome: &str) -> u64 {
        assert_eq!(self.code, 200, "{}", self.text);
        self.json()[outcome].as_u64().unwrap()
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// With other settings for alerts.
    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let state = tempfile::tempdir().unwrap();
        let tokens = tokens(&state);
        Self::build(state, settings, Actuators::new(tokens, Vec::new()))
    }

    /// Only these tokens may actuate.
    pub(crate) fn holding(tokens: Tokens) -> Self {
        let actuators = Actuators::new(tokens, Vec::new());
        Self::build(tempfile::tempdir().unwrap(), settings(), actuators)
    }

    /// A client certificate with this name may actuate, beside the token.
    pub(crate) fn allowing(san: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        let tokens = tokens(&state);
        let actuators = Actuators::new(tokens, vec![san.to_owned()]);
        Self::build(state, settings(), actuators)
    }

    /// Nothing but a client certificate with this name may actuate.
    pub(crate) fn allowing_only(san: &str) -> Self {
        let actuators = Actuators::new(Tokens::none(), vec![san.to_owned()]);
        Self::build(tempfile::tempdir().unwrap(), settings(), actuators)
    }

    fn build(state: TempDir, settings: Settings, actuators: Actuators) -> Self {
        let shared = Arc::new(shared());
        for (index, uuid) in [GPU_0, GPU_1].into_iter().enumerate() {
            let identity = Arc::new(identity(uuid, u32::try_from(index).unwrap()));
            shared.register(Arc::new(GpuHandle::new(identity)));
        }
        know_gpus(&shared, true);
        let reloads = Arc::new(AtomicUsize::new(0));
        let counter = reloads.clone();
        let reload = move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let desk = Arc::new(Desk::new(shared.clone(), settings));
        let app = App::new(desk.clone(), Arc::new(actuators), Box::new(reload));
        let app = Arc::new(app);
        Self {
            desk,
            shared,
            router: web::router(app.clone()),
            app,
            state,
            reloads,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    /// Sends a body as Alertmanager does.
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
        let now = self.shared.clock.wall();
        self.shared.leases().asked(now, &Uuid::new(uuid))
    }

    pub(crate) fn alert_level(&self, uuid: &str) -> Level {
        self.asked(uuid).alert
    }

    pub(crate) fn leases(&self) -> Vec<(String, Holder, Lease)> {
        let table = self.shared.leases();
        let mut all = Vec::new();
        for uuid in [GPU_0, GPU_1] {
            let gpu = Uuid::new(uuid);
            all.extend(table.of(&gpu).map(|(h, l)| (uuid.to_owned(), h, *l)));
        }
        all
    }

    /// True: no request has changed anything.
    pub(crate) fn is_untouched(&self) -> bool {
        let shared = &self.shared;
        let wall = shared.clock.wall();
        let paused =
            [GPU_0, GPU_1].map(|gpu| shared.take_inputs(&Uuid::new(gpu), wall).paused_until);
        self.leases().is_empty()
            && paused == [None, None]
            && !shared.is_detached()
            && shared.chain().last().is_none()
            && self.reloads.load(Ordering::SeqCst) == 0
    }

    /// The GPU's worker has just decided this.
    pub(crate) fn decided(&self, uuid: &str, decision: &Decision) {
        let gpu_handle = self.shared.gpu_handle(&Uuid::new(uuid)).unwrap();
        let identity = Identity::clone(&gpu_handle.identity);
        gpu_handle.publish(Tick {
            at: self.shared.clock.wall(),
            decision: *decision,
            ..fleet::bare(identity)
        });
    }

    /// The counters of the hook and of the pulls, by series.
    pub(crate) fn counters(&self) -> Counted {
        let mut registry = Registry::default();
        self.app.hook_counters.register(&mut registry);
        self.desk.pull_counters.register(&mut registry);
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).unwrap();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.to_owned())
        });
        Counted(samples.collect())
    }
}

/// Samples by series.
pub(crate) struct Counted(BTreeMap<String, String>);

impl Counted {
    /// By its name without `thermal_guard_`, with its labels. `None`: there is no such series.
    pub(crate) fn get<N: FromStr>(&self, series: &str) -> Option<N> {
        let value = self.0.get(&format!("thermal_guard_{series}"))?;
        value.parse().ok()
    }

    /// The values of all series of a family that have this label; all have the empty one.
    pub(crate) fn family(&self, name: &str, label: &str) -> Vec<u64> {
        let prefix = format!("thermal_guard_{name}{{");
        let series = self.0.iter();
        let series = series.filter(|(series, _)| series.starts_with(&prefix));
        let series = series.filter(|(series, _)| series.contains(label));
        series.map(|(_, value)| value.parse().unwrap()).collect()
    }

    pub(crate) fn hook(&self, status: Status, action: Action, outcome: Outcome) -> Option<u64> {
        let (status, action, result) = (status.name(), action.name(), outcome.name());
        self.get(&format!(
            "hook_alerts_total{{status=\"{status}\",action=\"{action}\",result=\"{result}\"}}"
        ))
    }

    pub(crate) fn pull(&self, state: State, action: Action, outcome: Outcome) -> Option<u64> {
        let (state, action, result) = (state.name(), action.name(), outcome.name());
        self.get(&format!(
            "alertmanager_pull_alerts_total{{state=\"{state}\",action=\"{action}\",result=\"{result}\"}}"
        ))
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

/// The token file of the tests.
fn tokens(state: &TempDir) -> Tokens {
    let file = state.path().join("tokens");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    Tokens::from_file(file).unwrap()
}

/// Whether the supervisor has found the GPUs.
pub(crate) fn know_gpus(shared: &Shared, ready: bool) {
    shared.set_driver_status(DriverStatus {
        ready,
        ..shared.driver_status()
    });
}

pub(crate) fn settings() -> Settings {
    let listen: SocketAddr = "0.0.0.0:10835".parse().unwrap();
    Settings {
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
    Shared::new(Clock::start(1.0), chain, live)
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
        instance_uuids: (index == 1)
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
