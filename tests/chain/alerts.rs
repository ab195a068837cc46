//! With the real Prometheus and the real Alertmanager.

use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::common::card::{die, limit, writes};
use crate::common::chain::{Chain, Setup, Timing};
use crate::common::delivery::{rfc3339, uuid};
use crate::common::figures::{measured, tell};
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::needs::needs;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::scrape::Metrics;
use crate::common::wait::{PATIENCE, wait_until};

/// Leases and heartbeats at the pace of a chain that is five times as fast as shipped.
const CONFIG: &str = "
policy: { recovery_delay: 10s }
hook: { lease: 6s }
alertmanager: { heartbeat_timeout: 3s }
";

const TIMING: Timing = Timing::FIVE_TIMES;

fn guard(machine: Machine) -> Guard {
    Guard::started(machine, TIMING.time_scale, CONFIG)
}

/// A chain around the guard that has proved itself to it.
fn chain_around(guard: &Guard) -> Chain {
    let chain = Chain::start(guard.address(), &guard.token_file(), TIMING);
    guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    chain
}

fn fallback(metrics: &Metrics) -> Option<f64> {
    metrics.get("thermal_guard_fallback_active", &[])
}

fn asked(metrics: &Metrics, gpu: usize, source: &str) -> Option<f64> {
    metrics.of(gpu, "thermal_guard_throttle_level", &[("source", source)])
}

/// `key=number` of a log line.
fn number(line: &str, key: &str) -> f64 {
    let (_, rest) = line.split_once(&format!(" {key}=")).unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn an_alert_throttles_one_gpu_before_its_own_set_point_and_all_is_given_back() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let machine = Machine::warm(&["a100-80gb", "a100-80gb"], &WORKING);
    machine.ctl(&["set", "--gpu", "1", "load=0.1"]);
    machine.ctl(&["limit", "--gpu", "0", "380.5"]);
    machine.ctl(&["limit", "--gpu", "1", "273.5"]);
    let untouched = writes(&machine.gpu(1));
    let guard = guard(machine);
    let chain = chain_around(&guard);

    guard.machine.ctl(&["set", "--gpu", "0", "airflow=1.2"]);
    let heated = Instant::now();
    let card = guard.wait_throttled(0);
    let throttled = SystemTime::now();
    measured("air getting bad to limit on the GPU", heated);
    let active = "min(ALERTS_FOR_STATE{gpu='0'})";
    assert!(
        wait_until(PATIENCE, || !chain.query(active).is_empty()),
        "no alert"
    );
    let throttled = throttled.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let latency = throttled.as_secs_f64() - chain.query(active)[0].value;
    tell(&format!(
        "rule evaluated in Prometheus to limit on the GPU: {latency:.2} s"
    ));
    assert_eq!(limit(&card), 340.0, "the ceiling of a lease");
    let metrics = guard.wait_state(0, "gradual");
    assert_eq!(metrics.throttles(0, "alert"), 1.0);
    assert_eq!(metrics.throttles(0, "local"), 0.0);
    assert_eq!(metrics.throttles(0, "fallback"), 0.0);
    let line = guard.logged(&["throttling", "trigger=alert"]).remove(0);
    let (temperature, set_point) = (number(&line, "temperature"), 77.0);
    tell(&format!(
        "throttled by alert at {temperature} °C, own set point {set_point} °C"
    ));
    assert!(temperature < set_point, "{line}");

    guard.cool(0);
    let cooled = Instant::now();
    guard.assert_given_back();
    measured("work over to everything given back", cooled);
    guard.wait_state(0, "normal");
    assert_eq!(writes(&guard.machine.gpu(1)), untouched, "the other GPU");
    let metrics = guard.metrics();
    assert_eq!(
        metrics.of(0, "thermal_guard_recoveries_total", &[]),
        Some(1.0)
    );
    assert_eq!(
        metrics.of(1, "thermal_guard_throttle_events_total", &[]),
        Some(0.0)
    );
}

#[test]
fn an_emergency_by_alert_takes_a_cool_gpu_to_its_minimum_until_resolved() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "273.5"]);
    let guard = guard(machine);
    let chain = chain_around(&guard);
    let alert = |ends_at: Option<SystemTime>| {
        let mut alert = json!({"labels": {
            "alertname": "CoolantLeak", "guard_action": "emergency", "uuid": uuid(0),
            "instance": guard.address().to_string(),
        }});
        if let Some(time) = ends_at {
            alert["endsAt"] = json!(rfc3339(time));
        }
        let url = format!("{}/api/v2/alerts", chain.alertmanager.url);
        ureq::post(url).send_json(json!([alert])).unwrap();
    };

    let posted = Instant::now();
    alert(None);
    guard.wait_throttled(0);
    measured(
        "emergency alert at Alertmanager to limit on the GPU",
        posted,
    );
    let metrics = guard.wait_state(0, "emergency");
    let labels = [("level", "emergency"), ("trigger", "alert")];
    let name = "thermal_guard_throttle_events_total";
    assert_eq!(metrics.of(0, name, &labels), Some(1.0));
    assert_eq!(asked(&metrics, 0, "local"), Some(0.0));
    let card = guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    assert_eq!(limit(&card), 100.0, "the least that the card takes");

    alert(Some(SystemTime::now()));
    let resolved = Instant::now();
    guard.assert_given_back();
    measured("emergency resolved to everything given back", resolved);
    guard.wait_state(0, "normal");
}

#[test]
fn without_alertmanager_the_guard_protects_alone_and_says_so() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let machine = Machine::warm(&["h100"], &WORKING);
    machine.ctl(&["limit", "650.5"]);
    let guard = guard(machine);
    let mut chain = chain_around(&guard);
    assert_eq!(fallback(&guard.metrics()), Some(0.0));

    chain.alertmanager.kill();
    let killed = Instant::now();
    let metrics = guard.wait("fallback", |metrics| fallback(metrics) == Some(1.0));
    measured(
        "Alertmanager killed to fallback active (time-out 3 s)",
        killed,
    );
    assert!(killed.elapsed() < Duration::from_secs(3 + 10));
    assert_eq!(metrics.chain(), Some("down"));

    guard.heat(0);
    let heated = Instant::now();
    guard.wait_throttled(0);
    measured("heat to limit on the GPU with nobody calling", heated);
    let metrics = guard.wait_state(0, "gradual");
    assert_eq!(metrics.throttles(0, "fallback"), 1.0);
    assert_eq!(metrics.throttles(0, "alert"), 0.0);

    chain.alertmanager.start();
    let back = Instant::now();
    let metrics = guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    measured("Alertmanager back to chain ok", back);
    assert_eq!(fallback(&metrics), Some(0.0));
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn a_dead_prometheus_resolves_its_alerts_and_releases_no_hot_gpu() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "390.5"]);
    let guard = guard(machine);
    let mut chain = chain_around(&guard);
    guard.heat(0);
    let held_by_both = |metrics: &Metrics| {
        asked(metrics, 0, "alert") >= Some(1.0) && asked(metrics, 0, "local") >= Some(1.0)
    };
    guard.wait("held by alert and temperature", held_by_both);

    guard.wait_throttled(0);
    chain.prometheus.kill();
    let killed = Instant::now();
    let resolved = |metrics: &Metrics| {
        let name = "thermal_guard_hook_alerts_total";
        let labels = [("status", "resolved"), ("result", "released")];
        metrics.get(name, &labels) >= Some(1.0)
    };
    let mut was_resolved = false;
    let mut lost = false;
    let mut least = limit(&guard.machine.gpu(0));
    let mut hottest: f64 = 0.0;
    // Until the alert was resolved and the chain is known to be broken, and 40 s of the plant on.
    let mut until = None;
    while until.is_none_or(|until| Instant::now() < until) {
        assert!(
            killed.elapsed() < PATIENCE,
            "resolved: {was_resolved}, chain lost: {lost}"
        );
        let (metrics, card) = (guard.metrics(), guard.machine.gpu(0));
        if !was_resolved && resolved(&metrics) {
            was_resolved = true;
            measured("Prometheus killed to the resolved that it causes", killed);
        }
        if !lost && matches!(metrics.chain(), Some("stale" | "down")) {
            lost = true;
            let state = metrics.chain().unwrap();
            measured(
                &format!("Prometheus killed to chain {state} (time-out 3 s)"),
                killed,
            );
        }
        if until.is_none() && was_resolved && lost {
            until = Some(Instant::now() + Duration::from_secs(8));
        }
        hottest = hottest.max(die(&card));
        let (now, hot) = (limit(&card), die(&card));
        assert!(now <= least, "raised to {now} W at {hot} °C");
        least = now;
        assert_ne!(metrics.state(0), Some("normal"));
    }
    tell(&format!(
        "hottest while Prometheus was dead: {hottest:.1} °C (alert 78, critical 85)"
    ));
    let metrics = guard.metrics();
    assert_eq!(fallback(&metrics), Some(1.0));
    assert!(matches!(metrics.chain(), Some("stale" | "down")));

    chain.prometheus.start();
    guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn a_silence_hides_the_alert_from_people_and_leaves_the_gpu_protected() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let guard = guard(Machine::warm(&["l40s"], &WORKING));
    let chain = chain_around(&guard);
    let silenced = Command::new("amtool")
        .arg(format!("--alertmanager.url={}", chain.alertmanager.url))
        .args(["silence", "add", "alertname=~ThermalGuardGpu.+"])
        .args(["--author=test", "--comment=test", "--duration=10m"])
        .output()
        .unwrap();
    assert!(silenced.status.success(), "{silenced:?}");

    guard.heat(0);
    assert!(
        wait_until(PATIENCE, || !chain.firing(0).is_empty()),
        "no alert"
    );
    guard.wait_throttled(0);
    let metrics = guard.wait_state(0, "gradual");
    assert_eq!(metrics.throttles(0, "local"), 1.0);
    assert_eq!(metrics.throttles(0, "alert"), 0.0);
    assert_eq!(metrics.chain(), Some("ok"), "heartbeats aren't silenced");
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn prometheus_ingests_both_formats_and_promtool_finds_nothing_wrong() {
    needs!(
        "prometheus",
        "prometheus-alertmanager",
        "amtool",
        "promtool"
    );
    let guard = guard(Machine::warm(&["h100", "l40s"], &["load=0.5"]));
    let target = guard.url("/metrics");
    // Asks for nothing in particular, as an old scraper would.
    let classic = Listener::start(move |_| {
        let text = ureq::get(&target).call().ok()?.body_mut().read_to_string();
        Some(("text/plain; version=0.0.4; charset=utf-8", text.ok()?))
    });
    let more = format!(
        "  - job_name: classic\n    static_configs:\n      - targets: ['{}']\n",
        classic.address
    );
    let token_file = guard.token_file();
    let setup = Setup {
        scrape: &more,
        ..Setup::default()
    };
    let chain = Chain::start_with(guard.address(), &token_file, TIMING, &setup);

    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let answer = ureq::get(guard.url("/metrics"))
        .header("Accept", accept)
        .call()
        .unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text"),
        "what Prometheus gets: {kind}"
    );

    for job in ["thermal-guard", "classic"] {
        let value = |series: &str| {
            let samples = chain.query(series);
            samples.first().map(|sample| sample.value)
        };
        let up = format!("up{{job='{job}'}}");
        assert!(wait_until(PATIENCE, || value(&up) == Some(1.0)), "{up}");
        let limit = format!("thermal_guard_gpu_power_limit_watts{{job='{job}',gpu='0'}}");
        assert_eq!(value(&limit), Some(700.0));
        let counter = format!("thermal_guard_recoveries_total{{job='{job}',gpu='0'}}");
        assert_eq!(value(&counter), Some(0.0));
        let memory = "thermal_guard_gpu_memory_temperature_celsius";
        let memory_of = |gpu| value(&format!("{memory}{{job='{job}',gpu='{gpu}'}}"));
        assert!(memory_of(0).is_some(), "the H100 has a memory sensor");
        assert_eq!(memory_of(1), None, "the L40S has none");
    }
    let scrape = guard.path("metrics.txt");
    std::fs::write(&scrape, guard.get("/metrics").unwrap()).unwrap();
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(std::fs::File::open(&scrape).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.is_empty(), "{said}");
    guard.assert_given_back();
}
