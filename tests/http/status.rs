//! The status API, its event stream and the page.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use futures_util::StreamExt as _;
use serde_json::Value;
use thermal_guard::clock::Clock;
use thermal_guard::config::Mode;
use thermal_guard::device::{Knob, Missing, nvml};
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::GpuHandle;
use thermal_guard::guard::state::history::History;
use thermal_guard::guard::state::{Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{
    Chain, ChainState, Claim, Decision, KnobReport, KnobState, Sensor, SensorReport, SensorState,
    State, Unguarded,
};
use thermal_guard::units::Moment;
use thermal_guard::web::http::peer::Peer;
use thermal_guard::web::page;
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, GpuView, ServiceView, Snapshot};
use thermal_guard::web::status::{self, STREAMS, Status, Streams};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::common::fleet;

fn document() -> Value {
    serde_json::to_value(Status::of(&fleet::snapshot())).unwrap()
}

#[test]
fn the_board_tells_what_an_operator_asks() {
    let status = document();
    assert_eq!(status["chain"]["state"], "ok");
    assert_eq!(status["chain"]["heartbeat_age_seconds"], 3.21);
    assert_eq!(status["mode"], "enforce");
    assert_eq!(status["node"], "n1.example");
    assert_eq!(status["events"][0]["event"], "throttled");
    assert_eq!(status["apps"][0]["name"], "medgemma");

    let held = &status["gpus"][0];
    assert_eq!(held["temperature_celsius"], 77.0);
    assert_eq!(held["memory_temperature_celsius"], 84.0);
    assert_eq!(held["trips"]["alert_celsius"], 78.0);
    assert_eq!(held["hour"]["max_celsius"], 78.0);
    assert_eq!(held["limit"]["current"], 230.0);
    assert_eq!(held["limit"]["original"], 300.0);
    assert_eq!(
        held["why"],
        "held under alert: an alert asked; 1.0 °C under alert"
    );
    assert_eq!(held["asks"]["alert"], "gradual");
    assert_eq!(held["leases"][0]["holder"], "alert");
    assert_eq!(held["leases"][0]["alert"], "GpuHot");
    assert_eq!(held["leases"][0]["fingerprint"], "000000000000feed");
    assert_eq!(held["leases"][0]["expires_in_seconds"], 25.0);
    assert_eq!(held["throttle_events"], 4);
    assert_eq!(held["recoveries"], 3);
    assert_eq!(held["throttled_seconds"]["gradual"], 812.5);
    assert_eq!(held["clock_events"][0], "sw_power_cap");

    let easy = &status["gpus"][1];
    assert_eq!(easy["why"], "42.0 °C under alert; paused by an operator");
    assert_eq!(easy["paused_for_seconds"], 600.0);
    assert_eq!(easy["permission"], "denied");
    assert_eq!(easy["memory_temperature_celsius"], Value::Null);
    assert_eq!(easy["clock_events"][1], "unknown");
}

#[test]
fn a_gpu_that_is_gone_shows_why_and_no_reading() {
    let status = document();
    let lost = &status["gpus"][2];
    assert_eq!(lost["up"], false);
    assert_eq!(lost["state"], "blind");
    assert_eq!(lost["why"], "the GPU or its driver is gone");
    assert_eq!(lost.get("temperature_celsius"), None);
    assert_eq!(lost["throttle_events"], 1);
    let hung = &status["gpus"][3];
    assert_eq!(hung["why"], "its first reading hasn't come back");
}

#[test]
fn a_detached_guard_says_so_instead_of_showing_the_last_reading() {
    let mut snapshot = fleet::snapshot();
    snapshot.detached = true;
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.up = false;
    tick.reading.core = Err(Missing::Lost);
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    let tick = Some(Arc::new(tick));
    snapshot.gpus = vec![GpuView::new(&identity, tick, fleet::now(), poll)];
    let status = Status::of(&snapshot);
    assert_eq!(status.gpus[0].why, "detached by an operator");
    snapshot.detached = false;
    let status = Status::of(&snapshot);
    assert_eq!(status.gpus[0].why, "the GPU or its driver is gone");
}

#[test]
fn the_client_reads_what_the_server_writes() {
    let status = Status::of(&fleet::snapshot());
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    let newer = "{\"version\":\"9\",\"gpus\":[{\"uuid\":\"x\",\"added_later\":1}]}";
    assert_eq!(
        serde_json::from_str::<Status>(newer).unwrap().gpus[0].uuid,
        "x"
    );
}

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

#[tokio::test]
async fn the_status_is_json_that_nobody_caches() {
    let service = service("a");
    let response = service.get("/api/v1/status").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let status: Status = serde_json::from_str(&service.text("/api/v1/status").await).unwrap();
    assert!(status.gpus[0].up);
}

#[tokio::test(start_paused = true)]
async fn the_stream_starts_at_once_then_follows_the_ticks() {
    let service = service("a");
    let response = service.get("/api/v1/events").await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut stream = response.into_body().into_data_stream();
    let began = tokio::time::Instant::now();

    let first = stream.next().await.unwrap().unwrap();
    let json = std::str::from_utf8(&first).unwrap();
    let json = json.strip_prefix("data: ").unwrap().trim_end();
    let status: Status = serde_json::from_str(json).unwrap();
    assert_eq!(status.gpus[0].name, "a");
    assert_eq!(began.elapsed(), Duration::ZERO);

    service.tick("a");
    stream.next().await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 1, "a new tick, a second later");
    stream.next().await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 6, "no news, but the ages grow");
}

#[tokio::test(start_paused = true)]
async fn the_streams_end_with_the_service() {
    let service = service("a");
    let mut stream = service
        .get("/api/v1/events")
        .await
        .into_body()
        .into_data_stream();
    stream.next().await.unwrap().unwrap();
    service.closing.send(true).unwrap();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn one_stream_too_many_is_turned_away_until_another_leaves() {
    let service = service("a");
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let response = service.get("/api/v1/events").await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    let refused = service.get("/api/v1/events").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    let admitted = service.get("/api/v1/events").await;
    assert_eq!(admitted.status(), StatusCode::OK);
}

/// One client takes every stream there is; the page and the API are still to be had elsewhere.
#[tokio::test]
async fn one_address_keeps_no_other_from_watching() {
    let service = service("a");
    let mut greedy = Vec::new();
    for _ in 0..STREAMS {
        let response = service.watch("/live", "10.0.0.1").await;
        greedy.push(response.into_body().into_data_stream());
    }
    assert_eq!(
        service.watch("/live", "10.0.0.1").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let mut others = Vec::new();
    for n in 2..10 {
        for path in ["/live", "/api/v1/events"] {
            let response = service.watch(path, &format!("10.0.0.{n}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{path} {n}");
            others.push(response);
        }
    }
    let oldest = &mut greedy[0];
    oldest.next().await.unwrap().unwrap();
    assert!(
        oldest.next().await.is_none(),
        "it ends, others have its seat"
    );
    greedy[STREAMS - 1].next().await.unwrap().unwrap();
}

#[test]
fn the_page_shows_the_board_without_a_script() {
    let html = page::render(&Status::of(&fleet::snapshot()), "/metrics");
    for told in [
        ">n1.example<",
        ">77 °C<",
        ">memory 84 °C<",
        ">Held under alert: an alert asked; 1.0 °C under alert<",
        ">limit 230 W, originally 300 W<",
        ">highest 78 °C, mean 74.2 °C<",
        ">safe 72, alert 78, critical 85 °C<",
        ">4 begun, 3 recovered<",
        ">gradual</span> by <span class=\"source\" data-text=\"source\">alert GpuHot<",
        ">25s left<",
        ">ok, heartbeat 3 s ago<",
        ">enforce<",
        ">The GPU or its driver is gone<",
        ">Cannot actuate: no permission to write to GPU 1. Shown, not protected.<",
        ">4 GPUs, 2 down, 1 gradual; the nearest is 1 °C under alert<",
        ">GPU 0: throttled to gradual by local, set point at 77 °C, 1.0 °C under alert<",
        "http-equiv=\"refresh\"",
        "href=\"metrics\"",
    ] {
        assert!(html.contains(told), "{told} in\n{html}");
    }
}

/// What happens to a calm node.
type Trouble = fn(&mut Snapshot);

#[test]
fn the_page_says_in_a_sentence_what_must_not_be_overlooked() {
    let calm = page::render(&Status::of(&calm_snapshot()), "/metrics");
    let troubles: [(&str, Trouble); 5] = [
        ("Observe: ", |snapshot| {
            snapshot.service.mode = Mode::Observe;
        }),
        ("Simulated: ", |snapshot| snapshot.service.simulated = true),
        ("Detached by an operator: ", |snapshot| {
            snapshot.detached = true;
        }),
        ("No NVIDIA driver", |snapshot| snapshot.driver.up = false),
        (
            "Fallback: the alert chain is stale: heartbeats arrive, but",
            |snapshot| {
                snapshot.chain.state = ChainState::Stale;
            },
        ),
    ];
    for (sentence, trouble) in troubles {
        assert!(!calm.contains(sentence), "{sentence} without a reason");
        let mut snapshot = calm_snapshot();
        trouble(&mut snapshot);
        let html = page::render(&Status::of(&snapshot), "/metrics");
        assert!(html.contains(sentence), "{sentence} in\n{html}");
    }
}

#[tokio::test]
async fn no_name_becomes_markup() {
    let name = "</td><script>alert(1)</script><img src=x onerror='alert(1)'>\"&";
    let service = service(name);
    let html = service.text("/").await;
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(html.matches("<script").count(), 1, "our own");
    assert!(!html.contains("<img") && !html.contains("onerror='"));
}

#[tokio::test]
async fn no_script_of_ours_makes_markup_of_a_string() {
    let service = service("a");
    for path in ["/assets/live.js", "/assets/chart.js"] {
        let script = service.text(path).await;
        assert!(script.contains("textContent"), "{path}");
        for unsafe_way in [
            "HTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "Function(",
        ] {
            assert!(!script.contains(unsafe_way), "{unsafe_way} in {path}");
        }
    }
    let response = service.get("/").await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
    let policy = policy.unwrap();
    assert!(policy.ends_with("require-trusted-types-for 'script'; trusted-types 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test(start_paused = true)]
async fn the_pages_stream_says_what_the_page_says() {
    let service = service("a");
    let mut stream = service.get("/live").await.into_body().into_data_stream();
    let first = stream.next().await.unwrap().unwrap();
    let json = std::str::from_utf8(&first).unwrap();
    let json = json.strip_prefix("data: ").unwrap().trim_end();
    let board: Value = serde_json::from_str(json).unwrap();
    let html = service.text("/").await;
    let card = &board["lists"]["gpus"][0]["texts"];
    for text in [&board["texts"]["summary"], &card["name"], &card["state"]] {
        let text = text.as_str().unwrap();
        assert!(html.contains(&format!(">{text}<")), "{text} in\n{html}");
    }
    // Every place that the page has is filled, and nothing is said that has no place.
    let places = |at: &str| html.contains(&format!("data-text=\"{at}\""));
    for place in card.as_object().unwrap().keys() {
        assert!(places(place), "{place}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_little_of_its_own() {
    let service = service("a");
    let mut size = 0;
    for path in [
        "/",
        "/assets/status.css",
        "/assets/live.js",
        "/assets/chart.js",
    ] {
        let response = service.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
        assert!(
            policy
                .unwrap()
                .starts_with("default-src 'none'; style-src 'self';")
        );
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
        let text = service.text(path).await;
        // The one name of a namespace that SVG must be created in.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("://"), "{path}");
        assert!(
            !text.contains(" style=") && !text.contains("onclick"),
            "{path}"
        );
        size += text.len();
    }
    assert!(size < 100_000, "{size} bytes");
}

/// The fleet without what needs a notice.
fn calm_snapshot() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    snapshot.gpus.truncate(1);
    snapshot
}

/// The fleet's first card, changed, in words of all views.
fn with(change: impl FnOnce(&mut Tick)) -> (Value, String) {
    let mut snapshot = calm_snapshot();
    let gpu = &mut snapshot.gpus[0];
    let mut tick = Tick::clone(gpu.tick.as_ref().unwrap());
    change(&mut tick);
    let identity = gpu.identity.clone();
    let tick = Some(Arc::new(tick));
    *gpu = GpuView::new(&identity, tick, fleet::now(), Duration::from_secs(1));
    let status = Status::of(&snapshot);
    let html = page::render(&status, "/metrics");
    (
        serde_json::to_value(&status).unwrap()["gpus"][0].clone(),
        html,
    )
}

#[test]
fn an_unguarded_gpu_says_so_and_why_and_what_helps_also_when_it_is_gone() {
    for (why, up) in Unguarded::ALL.map(|why| (why, why != Unguarded::NotOpen)) {
        let (gpu, html) = with(|tick| {
            tick.up = up;
            tick.decision = Decision::unguarded(why);
            tick.claim = Claim::default();
        });
        assert_eq!(gpu["state"], "unguarded");
        assert_eq!(gpu["unguarded"], why.name());
        assert_eq!(gpu["why"], why.explained());
        assert!(html.contains("data-tone=\"unguarded\""), "{html}");
        let notice = format!(
            "Unguarded: nothing can be done for GPU 0: {}",
            why.explained()
        );
        let notice = notice.replace('\'', "&#39;");
        assert!(html.contains(&notice), "{notice} in\n{html}");
        assert!(html.contains(">1 GPU, 1 unguarded"), "{html}");
        assert!(html.contains("<title>(1) "), "alarms");
    }
    let (calm, html) = with(|_| {});
    assert_eq!(calm.get("unguarded"), None);
    assert!(!html.contains("Unguarded"), "{html}");
}

#[test]
fn each_sensor_and_knob_tells_its_state_and_what_is_wrong_with_it() {
    let (gpu, html) = with(|tick| {
        tick.decision.sensors[Sensor::Memory] = SensorReport {
            state: SensorState::Failing,
            missing: Some(Missing::Failed(nvml::code(999))),
            doubt: None,
        };
        tick.decision.knobs[Knob::GpuClock] = KnobReport {
            state: KnobState::Refused,
            denied: false,
        };
    });
    let named = |list: &str, name: &str| {
        let all = gpu[list].as_array().unwrap();
        all.iter().find(|it| it["name"] == name).unwrap().clone()
    };
    let inlet = serde_json::json!({
        "name": "inlet", "state": "working", "celsius": 31.5,
        "alert_celsius": 38.0, "critical_celsius": 45.0,
    });
    assert_eq!(gpu["sensors"][0], inlet, "configured ones come first");
    assert_eq!(named("sensors", "rack-door")["state"], "failing");
    let core = serde_json::json!({"name": "core", "state": "working"});
    assert_eq!(named("sensors", "core"), core);
    assert_eq!(named("sensors", "margin")["state"], "absent");
    let memory = named("sensors", "memory");
    assert_eq!(memory["why"], "fails with NVML code 999 (UNKNOWN)");
    assert_eq!(named("knobs", "power_limit")["state"], "working");
    assert_eq!(named("knobs", "gpu_clock")["state"], "refused");
    assert_eq!(named("knobs", "memory_clock")["state"], "absent");
    assert_eq!(named("knobs", "fan")["state"], "absent");
    let why = gpu["why"].as_str().unwrap();
    assert!(
        why.contains("the memory sensor fails with NVML code 999"),
        "{why}"
    );
    assert!(why.contains("gpu_clock is refused"), "{why}");
    for told in [
        "inlet working, rack-door failing, core working, memory failing, power working<",
        ">power limit working, gpu clock refused<",
    ] {
        assert!(html.contains(told), "{told} in\n{html}");
    }
}

#[test]
fn a_throttle_lasts_since_it_began_also_under_a_guard_before_this_one() {
    let (gpu, html) = with(|tick| {
        tick.changed = fleet::unix_ago(5);
        tick.held_since = Some(fleet::unix_ago(7200));
    });
    assert_eq!(gpu["state_age_seconds"], 5.0);
    assert_eq!(gpu["held_for_seconds"], 7200.0);
    assert!(html.contains(">for 2h<"), "{html}");
    let (gpu, html) = with(|tick| {
        tick.decision = Decision::unseen();
        tick.held_since = None;
        tick.changed = fleet::unix_ago(5);
    });
    assert_eq!(gpu.get("held_for_seconds"), None);
    assert!(html.contains(">for 5s<"), "{html}");
}

#[test]
fn an_hour_shows_when_nothing_could_be_done() {
    let clock = Moment::from_secs_f64(3.0);
    let mut history = History::default();
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.reading.at = clock;
    history.record(&tick);
    tick.decision = Decision::unguarded(Unguarded::NoTemperature);
    history.record(&tick);
    let state = history.points(clock).next().unwrap().state();
    assert_eq!(state, Some(State::Unguarded), "the gravest");
}
