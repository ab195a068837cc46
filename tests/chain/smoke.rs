//! Real Prometheus and Alertmanager on the shipped configuration, and on freshly generated one with a
//! guard behind it.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, start programs, and compare gauges exactly"
)]

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::common::chain::{Chain, Timing, free_ports};
use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;
use crate::common::process::{run, stderr, stdout};
use crate::common::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(10);

/// Plant and guard run so much faster than the wall; the chain runs as generated.
const PLANT: u32 = 5;

#[test]
fn prometheus_and_alertmanager_run_on_the_shipped_rules_and_routes() {
    needs!("prometheus", "prometheus-alertmanager");
    let [port] = free_ports();
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut chain = Chain::start(nobody, Path::new("/nonexistent"), Timing::FIVE_TIMES);

    let heartbeat = "ALERTS{alertname='ThermalGuardHeartbeat'}";
    let beats = wait_until(LIMIT, || chain.query(heartbeat).len() == 1);
    assert!(beats, "the heartbeat fires although the scrape fails");
    let instance = &chain.query(heartbeat)[0].labels["instance"];
    assert_eq!(instance, &nobody.to_string());

    let arrived = || {
        let receiver = format!("guard-{nobody}");
        let url = format!(
            "{}/api/v2/alerts?receiver={receiver}",
            chain.alertmanager.url
        );
        let body = ureq::get(url)
            .call()
            .and_then(|mut r| r.body_mut().read_to_string());
        body.is_ok_and(|alerts| alerts.contains("ThermalGuardHeartbeat"))
    };
    assert!(wait_until(LIMIT, arrived), "routed to the guard's receiver");

    chain.alertmanager.kill();
    chain.alertmanager.start();
    chain.prometheus.stop();
    chain.prometheus.start();
    assert!(wait_until(LIMIT, || chain.query(heartbeat).len() == 1));
}

/// The output of `generate WHAT` for these nodes.
fn generated(what: &str, nodes: &str, more: &str) -> String {
    let output = run(&["generate", what, "--node", nodes, more]);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Without their comment.
fn guard_settings(generated: &str) -> String {
    let (_, block) = generated.split_once("(thermal-guard.yml):\n").unwrap();
    let lines = block.lines().map_while(|line| line.strip_prefix("# "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Both, as generated for `guard` and a second node that doesn't answer.
fn generated_chain(guard: &Guard) -> Chain {
    let dir = TempDir::new().unwrap();
    let [prometheus, alertmanager, dead] = free_ports();
    let nodes = format!("{},127.0.0.1:{dead}", guard.address());
    let token = format!("--token-file={}", guard.token_file().display());
    let peer = format!("--alertmanager=127.0.0.1:{alertmanager}");
    for (file, text) in [
        (
            "alertmanager.yml",
            generated("alertmanager", &nodes, &token),
        ),
        ("prometheus.yml", generated("prometheus", &nodes, &peer)),
        (
            "thermal-guard.rules.yml",
            generated("rules", &nodes, "--pace=tuned"),
        ),
    ] {
        fs::write(dir.path().join(file), text).unwrap();
    }
    Chain::start_on(dir, [prometheus, alertmanager])
}

#[test]
fn a_guard_on_generated_settings_is_throttled_through_a_generated_chain_and_by_nobody_elses() {
    needs!("prometheus", "prometheus-alertmanager");
    let machine = Machine::create(&["a100-80gb"], &["--time-scale", "0"]);
    machine.ctl(&["set", "load=1", "airflow=0.85"]);
    machine.ctl(&["advance", "900"]);
    let settings = guard_settings(&generated("alertmanager", "n1", "--pace=tuned"));
    let guard = Guard::started(machine, PLANT, &settings);
    let chain = generated_chain(&guard);

    let metrics = guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    let timeout = metrics.get("thermal_guard_heartbeat_timeout_seconds", &[]);
    assert_eq!(timeout, Some(15.0), "as generated");

    // The alert of another node, on this one's GPU by index: routed there, not here.
    let another = json!([{"labels": {
        "alertname": "Elsewhere", "guard_action": "emergency", "gpu": "0", "instance": "n9:10835",
    }}]);
    let url = format!("{}/api/v2/alerts", chain.alertmanager.url);
    ureq::post(url).send_json(another).unwrap();

    guard.heat(0);
    guard.wait("a lease from an alert", |metrics| {
        let labels = [
            ("status", "firing"),
            ("action", "gradual"),
            ("result", "accepted"),
        ];
        metrics.get("thermal_guard_hook_alerts_total", &labels) >= Some(1.0)
    });
    let firing = chain.firing(0);
    assert!(!firing.is_empty(), "which rule?");
    guard.wait_throttled(0);
    let metrics = guard.wait_state(0, "gradual");
    let strangers = [("result", "wrong_node")];
    let strangers = metrics.all("thermal_guard_hook_alerts_total", &strangers);
    let none = strangers.iter().all(|count| *count == 0.0);
    assert!(none, "another node's alert came here: {strangers:?}");
}
