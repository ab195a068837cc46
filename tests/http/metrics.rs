//! `/metrics`: the golden text of a made-up node, and the promises of the contract about it.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode, header};
use thermal_guard::clock::Clock;
use thermal_guard::config::Mode;
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::GpuHandle;
use thermal_guard::guard::state::{Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::ask::lease::Holder;
use thermal_guard::policy::{Chain, Decision, Lease, Level, Unguarded};
use thermal_guard::units::Moment;
use thermal_guard::web::metrics::{self, Collect, Format, render};
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, GpuView, ServiceView, Snapshot};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use crate::common::fleet;
use crate::common::needs::needs;

/// All but the process's own, which no golden file can know.
const STEADY: Collect = Collect {
    process: false,
    ..Collect::ALL
};

fn classic(snapshot: Snapshot) -> String {
    render(
        String::new(),
        snapshot,
        &fleet::counters(),
        STEADY,
        Format::Classic,
    )
    .unwrap()
}

fn open(snapshot: Snapshot) -> String {
    render(
        String::new(),
        snapshot,
        &fleet::counters(),
        STEADY,
        Format::OpenMetrics,
    )
    .unwrap()
}

/// Compares with a file under `tests/golden`; `UPDATE_GOLDEN=1` writes it instead.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        expected == text,
        "{name} differs (UPDATE_GOLDEN=1 rewrites it), first in {differs:?}"
    );
}

/// The library keeps counters in a hash map, whose order differs from run to run: sorted, but for
/// the buckets of histograms.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    let is_sample = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
    for samples in lines.chunk_by_mut(|a, b| is_sample(a) && is_sample(b)) {
        samples.sort_unstable();
    }
    lines.join("\n") + "\n"
}

/// Samples whose line begins with `prefix`.
fn samples<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .collect()
}

#[test]
fn the_exposition_is_the_golden_one_in_both_formats() {
    golden("metrics.txt", &sorted(&classic(fleet::snapshot())));
    golden("metrics.openmetrics.txt", &sorted(&open(fleet::snapshot())));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may start promtool")]
fn promtool_finds_nothing_to_complain_about() {
    needs!("promtool");
    let text = render(
        String::new(),
        fleet::snapshot(),
        &fleet::counters(),
        Collect::ALL,
        Format::Classic,
    )
    .unwrap();
    let spawned = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = spawned.expect("promtool is needed: it comes with the Prometheus package");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

/// The contract's list and what the shipped alert rules use, with the labels each must carry; all
/// of these carry `gpu` and `uuid` as well.
const GPU: [&str; 27] = [
    "temperature_celsius",
    "memory_temperature_celsius",
    "temperature_margin_celsius",
    "temperature_threshold_celsius{threshold}",
    "temperature_tlimit_offset_celsius{threshold}",
    "power_draw_watts",
    "power_limit_watts",
    "power_limit_enforced_watts",
    "power_limit_default_watts",
    "power_limit_min_watts",
    "power_limit_max_watts",
    "energy_joules_total",
    "clock_hertz{domain}",
    "clock_event_active{reason}",
    "clock_event_seconds_total{reason}",
    "utilization_ratio",
    "memory_used_bytes",
    "memory_total_bytes",
    "fan_speed_ratio{fan}",
    "fan_speed_rpm{fan}",
    "fan_target_speed_ratio{fan}",
    "fan_policy{fan,policy}",
    "xid_errors_total{xid}",
    "up",
    "info",
    "xid_last_timestamp_seconds{xid}",
    "reopened_total",
];
/// The same.
const PER_GPU: [&str; 31] = [
    "sensor_celsius{sensor}",
    "sensor_up{sensor}",
    "state{state}",
    "sensor_state{sensor,state}",
    "knob_state{knob,state}",
    "fan_suspect{fan}",
    "throttle_level{source}",
    "trip_celsius{trip}",
    "throttle_events_total{level,trigger}",
    "recoveries_total",
    "throttled_seconds_total{level}",
    "actions_total{action,result}",
    "action_power_limit_target_watts",
    "leases{level}",
    "lease_age_seconds",
    "poll_last_success_timestamp_seconds",
    "poll_duration_seconds",
    "margin_to_alert_celsius",
    "margin_to_critical_celsius",
    "cannot_actuate",
    "infeasible",
    "contested",
    "overheld",
    "paused",
    "foreign_limits_total",
    "journal_failures_total",
    "level",
    "last_transition_timestamp_seconds",
    "action_active{action}",
    "action_gpu_clock_target_hertz",
    "poll_failures_total",
];

/// Of the whole service.
const SERVICE: [&str; 24] = [
    "gpus",
    "gpus_expected",
    "detached",
    "build_info",
    "nvml_up",
    "chain_state{state}",
    "fallback_active",
    "heartbeat_last_timestamp_seconds",
    "heartbeat_eval_age_seconds",
    "hook_requests_total{code}",
    "hook_alerts_total{status,action,result}",
    "hook_auth_failures_total{reason}",
    "hook_truncated_alerts_total",
    "hook_request_duration_seconds_bucket{le}",
    "hook_body_bytes_bucket{le}",
    "hook_last_success_timestamp_seconds",
    "lease_expirations_total{reason}",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
    "mode{mode}",
    "simulated",
    "app_notifications_total{app,result}",
    "app_mode{app,mode}",
    "last_scrape_timestamp_seconds",
];

#[test]
fn every_metric_of_the_contract_exists() {
    let text = render(
        String::new(),
        with_margin(),
        &fleet::counters(),
        Collect::ALL,
        Format::Classic,
    )
    .unwrap();
    let expect = |name: &str, fixed: &[&str]| {
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let own = labels.trim_end_matches('}').split(',');
        let labels: Vec<_> = fixed.iter().copied().chain(own).collect();
        let found = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty(), "no {name}");
        for label in labels.iter().filter(|label| !label.is_empty()) {
            let with = format!("{label}=\"");
            assert!(
                found.iter().all(|line| line.contains(&with)),
                "{name}: {label}"
            );
        }
    };
    for name in GPU {
        expect(&format!("thermal_guard_gpu_{name}"), &["gpu", "uuid"]);
    }
    for name in PER_GPU {
        expect(&format!("thermal_guard_{name}"), &["gpu", "uuid"]);
    }
    for name in SERVICE {
        expect(&format!("thermal_guard_{name}"), &[]);
    }
    for name in [
        "cpu_seconds_total",
        "resident_memory_bytes",
        "virtual_memory_bytes",
    ] {
        expect(&format!("process_{name}"), &[]);
    }
    for name in ["open_fds", "max_fds", "start_time_seconds"] {
        expect(&format!("process_{name}"), &[]);
    }
}

/// The fleet, with one card more that reports a margin.
fn with_margin() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    let mut tick = fleet::bare(fleet::identity(4, "NVIDIA H100 80GB HBM3"));
    tick.reading.margin = Ok(thermal_guard::units::Celsius::new(26.0));
    let mut facts = thermal_guard::device::Facts::default();
    facts.margin_offsets.slowdown = Some(thermal_guard::units::Celsius::new(-2.0));
    tick.facts = Arc::new(facts);
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    let view = GpuView::new(&identity, Some(Arc::new(tick)), fleet::now(), poll);
    snapshot.gpus.push(view);
    snapshot
}

#[test]
fn what_a_card_does_not_have_is_absent_not_zero() {
    let text = classic(fleet::snapshot());
    let memory = samples(&text, "thermal_guard_gpu_memory_temperature_celsius{");
    assert_eq!(memory.len(), 1, "the A100's only: {memory:?}");
    assert!(memory[0].contains("gpu=\"0\""));
    assert!(!text.contains("NaN") && !text.contains("} -1"));
    assert!(!text.contains("thermal_guard_gpu_temperature_margin"));
    assert!(!text.contains("gpu=\"1\",uuid=\"GPU-11110000-made-up\",fan=\"2\""));
    let unnamed = "thermal_guard_gpu_clock_event_active{gpu=\"1\",uuid=\"GPU-11110000-made-up\",reason=\"unknown\"} 1";
    assert!(text.lines().any(|line| line == unnamed));
    assert_eq!(
        samples(&text, "thermal_guard_gpu_clock_event_active{gpu=\"0\"").len(),
        10
    );
}

#[test]
fn a_gpu_is_in_one_state_of_six_and_so_is_each_sensor_and_knob() {
    let mut snapshot = fleet::snapshot();
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.decision = Decision::unguarded(Unguarded::NoTemperature);
    snapshot.gpus[0].tick = Some(Arc::new(tick));
    let text = classic(snapshot);
    for (family, gpus, states) in [
        ("state", 3, 6),
        ("sensor_state", 3 * 4, 4),
        ("knob_state", 3 * 4, 5),
    ] {
        let all = samples(&text, &format!("thermal_guard_{family}{{"));
        assert_eq!(all.len(), gpus * states, "{family}");
        let hot = all.iter().filter(|line| line.ends_with(" 1")).count();
        assert_eq!(hot, gpus, "{family}: one each");
    }
    let is = |line: &str| text.lines().any(|it| it == line);
    let gpu = "gpu=\"0\",uuid=\"GPU-00000000-made-up\"";
    assert!(is(&format!(
        "thermal_guard_state{{{gpu},state=\"unguarded\"}} 1"
    )));
    assert!(is(&format!(
        "thermal_guard_knob_state{{{gpu},knob=\"fan\",state=\"absent\"}} 1"
    )));
}

#[test]
fn a_configured_sensor_works_or_fails_and_takes_no_series_of_the_cards_own() {
    let mut snapshot = fleet::snapshot();
    let state = |text: &str, sensor: &str, state: &str| {
        let labels = format!("sensor=\"{sensor}\",state=\"{state}\"}} 1");
        let all = samples(text, "thermal_guard_sensor_state{gpu=\"0\"");
        all.iter().filter(|line| line.ends_with(&labels)).count()
    };
    let text = classic(snapshot.clone());
    assert_eq!(state(&text, "inlet", "working"), 1);
    assert_eq!(state(&text, "rack-door", "failing"), 1);
    let mut tick = Tick::clone(snapshot.gpus[0].tick.as_ref().unwrap());
    tick.probes[1].name = "core".into();
    snapshot.gpus[0].tick = Some(Arc::new(tick));
    let text = classic(snapshot);
    assert_eq!(state(&text, "core", "working"), 1);
    assert_eq!(state(&text, "core", "failing"), 0, "the file's");
}

#[test]
fn a_lost_gpu_keeps_its_counters_and_loses_its_readings() {
    let text = classic(fleet::snapshot());
    let lost = |prefix: &str| {
        text.lines()
            .any(|line| line.starts_with(prefix) && line.contains("gpu=\"2\""))
    };
    for kept in [
        "thermal_guard_gpu_info",
        "thermal_guard_gpu_up",
        "thermal_guard_state",
        "thermal_guard_throttle_events_total",
        "thermal_guard_gpu_xid_errors_total",
        "thermal_guard_leases",
    ] {
        assert!(lost(kept), "{kept} is gone");
    }
    for gone in [
        "thermal_guard_gpu_temperature",
        "thermal_guard_gpu_power",
        "thermal_guard_gpu_clock",
        "thermal_guard_trip",
        "thermal_guard_margin",
    ] {
        assert!(!lost(gone), "{gone} is still there");
    }
}

#[test]
fn a_gpu_is_down_two_polls_after_its_last_tick_but_not_under_two_seconds() {
    let tick = Arc::new(fleet::bare(fleet::identity(0, "x")));
    let up = |age: f64, poll: f64| {
        let now = Moment::from_secs_f64(tick.at.since_start().as_secs_f64() + age);
        let poll = Duration::from_secs_f64(poll);
        GpuView::new(&tick.identity, Some(tick.clone()), now, poll).up
    };
    assert!(up(1.9, 0.1) && !up(2.1, 0.1));
    assert!(up(1.9, 1.0) && !up(2.1, 1.0));
    assert!(up(19.0, 10.0) && !up(21.0, 10.0));
}

#[test]
fn counters_of_events_are_there_before_the_first_event() {
    let mut snapshot = fleet::snapshot();
    let tick = fleet::bare(fleet::identity(0, "NVIDIA A100 80GB PCIe"));
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    snapshot.gpus = vec![GpuView::new(
        &identity,
        Some(Arc::new(tick)),
        fleet::now(),
        poll,
    )];
    let text = classic(snapshot);
    for (family, series) in [
        ("thermal_guard_throttle_events_total{", 8),
        ("thermal_guard_recoveries_total{", 1),
        ("thermal_guard_throttled_seconds_total{", 2),
        ("thermal_guard_actions_total{", 28),
        ("thermal_guard_foreign_limits_total{", 1),
        ("thermal_guard_journal_failures_total{", 1),
        ("thermal_guard_gpu_reopened_total{", 1),
        ("thermal_guard_poll_failures_total{", 1),
        ("thermal_guard_gpu_xid_errors_total{", 9),
    ] {
        let found = samples(&text, family);
        assert_eq!(found.len(), series, "{family}");
        let is_zero = |line: &&str| line.ends_with(" 0") || line.ends_with(" 0.0");
        assert!(found.iter().all(is_zero), "{found:?}");
    }
}

#[test]
fn every_per_gpu_series_begins_with_gpu_and_uuid_and_no_family_is_torn() {
    let text = open(fleet::snapshot());
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if line.contains("uuid=") {
            let labels = line.split_once('{').unwrap().1;
            assert!(labels.starts_with("gpu=\""), "{line}");
            assert!(
                labels.split(',').nth(1).unwrap().starts_with("uuid="),
                "{line}"
            );
        }
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(seen.insert(family.to_owned()), "{family} twice");
        }
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn hostile_names_stay_inside_their_quotes() {
    let mut snapshot = fleet::snapshot();
    let name = "x\"} 1\nthermal_guard_nvml_up 0\n# \\";
    let tick = fleet::bare(fleet::identity(0, name));
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    snapshot.gpus = vec![GpuView::new(
        &identity,
        Some(Arc::new(tick)),
        fleet::now(),
        poll,
    )];
    snapshot.service.apps[0].status.name = name.to_owned();
    for text in [classic(snapshot.clone()), open(snapshot)] {
        assert_eq!(samples(&text, "thermal_guard_nvml_up").len(), 1);
        let escaped = r#"name="x\"} 1\nthermal_guard_nvml_up 0\n# \\""#;
        assert!(text.contains(escaped), "the GPU's");
        assert!(
            text.contains(&escaped.replace("name=", "app=")),
            "the app's"
        );
    }
}

/// Changes of what a scrape shows, each after the ones before.
const CHANGES: [fn(&mut Snapshot); 20] = [
    |it| it.now = it.now + Duration::from_secs(10),
    |it| it.unix += Duration::from_secs(10),
    |it| it.last_scrape = Some(it.unix),
    |it| it.gpus[0].up = false,
    |it| it.gpus[0].hung = true,
    |it| it.gpus[0].paused = true,
    |it| it.gpus[0].panics += 1,
    |it| {
        let mut tick = fleet::bare(fleet::identity(1, "NVIDIA GeForce RTX 4090"));
        tick.reading.core = Ok(thermal_guard::units::Celsius::new(61.0));
        it.gpus[1].tick = Some(Arc::new(tick));
    },
    |it| it.gpus[1].identity = Arc::new(fleet::identity(9, "moved")),
    |it| it.gpus.swap(0, 1),
    |it| it.gpus.truncate(2),
    |it| it.leases.clear(),
    |it| it.endings.resolved += 1,
    |it| it.driver.up = false,
    |it| it.driver.expected += 1,
    |it| it.detached = true,
    |it| it.chain.state = thermal_guard::policy::ChainState::Down,
    |it| it.chain.heartbeat_age = Some(Duration::from_secs(99)),
    |it| it.service.mode = Mode::Observe,
    |it| it.service.apps[0].status.well = Some(true),
];

#[test]
fn every_change_shows() {
    let mut snapshot = fleet::snapshot();
    let mut before = open(snapshot.clone());
    for (number, change) in CHANGES.iter().enumerate() {
        change(&mut snapshot);
        let text = open(snapshot.clone());
        assert!(text != before, "change {number} tests nothing");
        before = text;
    }
}

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
