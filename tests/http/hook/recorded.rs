//! The bodies in `tests/webhooks/`, in the order in which they came.

use thermal_guard::policy::{ChainState, Level};

use serde_json::{Value, json};

use crate::hook::bench::{Bench, GPU_0, GPU_1, recorded};

/// The body with labels added to each of its alerts, as a rule for the guard would have them.
fn with_labels(name: &str, labels: &[(&str, &str)]) -> Value {
    let mut body = recorded(name);
    for alert in body["alerts"].as_array_mut().unwrap() {
        for (label, value) in labels {
            alert["labels"][*label] = json!(value);
        }
    }
    body
}

#[tokio::test]
async fn no_recorded_body_without_a_guard_action_acts_by_default() {
    let bench = Bench::new();
    for name in [
        "alertmanager-0.25-firing",
        "alertmanager-0.25-resolved",
        "alertmanager-0.25-heartbeat",
        "alertmanager-0.25-heartbeat-resolved-prometheus-killed",
        "alertmanager-0.25-truncated-misleading-status",
        "alertmanager-0.25-ha-resolved",
        "alertmanager-0.25-ha-stale-firing-after-resolved",
    ] {
        let answer = bench.deliver_json(&recorded(name)).await;
        assert_eq!(answer.count("ignored"), 1, "{name}: {}", answer.text);
        assert_eq!(answer.count("not_possible"), 0, "{name}: {}", answer.text);
        assert!(bench.is_untouched(), "{name}");
    }
}

#[tokio::test]
async fn a_mapped_severity_fires_and_resolves() {
    let bench = Bench::with(|settings| {
        settings.severity_map = [("critical".to_owned(), Level::Emergency)].into();
    });
    let firing = recorded("alertmanager-0.25-firing");
    assert_eq!(bench.deliver_json(&firing).await.count("accepted"), 1);
    assert_eq!(bench.alert_level(GPU_0), Level::Emergency);
    assert_eq!(bench.alert_level(GPU_1), Level::None);
    assert_eq!(bench.deliver_json(&firing).await.count("renewed"), 1);
    assert_eq!(bench.leases().len(), 1);
    let resolved = recorded("alertmanager-0.25-resolved");
    assert_eq!(bench.deliver_json(&resolved).await.count("released"), 1);
    assert_eq!(bench.alert_level(GPU_0), Level::None);
    assert_eq!(bench.deliver_json(&resolved).await.count("ignored"), 1);
}

#[tokio::test]
async fn the_group_of_a_newer_alertmanager_takes_one_lease() {
    let bench = Bench::new();
    let body = recorded("constructed-0.34-notification-reason-route-labels");
    let answer = bench.deliver_json(&body).await;
    assert_eq!((answer.count("accepted"), answer.count("ignored")), (1, 1));
    assert_eq!(bench.alert_level(GPU_0), Level::None);
    assert_eq!(bench.alert_level(GPU_1), Level::Gradual);
}

#[tokio::test]
async fn a_heartbeat_proves_the_chain_and_its_resolved_ends_it() {
    let bench = Bench::new();
    let beats = [("guard_action", "heartbeat")];
    let heartbeat = with_labels("alertmanager-0.25-heartbeat", &beats);
    // Five times the same bytes, as Alertmanager sends them when Prometheus is dead.
    for _ in 0..5 {
        let answer = bench.deliver_json(&heartbeat).await;
        assert_eq!(answer.count("accepted"), 1);
        assert_eq!(bench.shared.chain_state(), ChainState::Ok);
    }
    let killed = "alertmanager-0.25-heartbeat-resolved-prometheus-killed";
    bench.deliver_json(&with_labels(killed, &beats)).await;
    assert_eq!(bench.shared.chain_state(), ChainState::Down);
    assert!(bench.leases().is_empty());
}

#[tokio::test]
async fn a_truncated_group_proves_nothing_about_missing_alerts() {
    let bench = Bench::new();
    let name = "alertmanager-0.25-truncated-misleading-status";
    let acts = [("guard_action", "gradual"), ("uuid", GPU_0)];
    let mut cut_off = with_labels(name, &acts);
    cut_off["alerts"][0]["status"] = json!("firing");
    cut_off["alerts"][0]["fingerprint"] = json!("00000000000000bb");
    bench.deliver_json(&cut_off).await;
    let answer = bench.deliver_json(&with_labels(name, &acts)).await;
    assert_eq!(answer.count("ignored"), 1, "the other alert was never held");
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    let truncated = bench.counters().get("hook_truncated_alerts_total");
    assert_eq!(truncated, Some(2));
}

#[tokio::test]
async fn a_firing_that_comes_after_its_resolved_is_a_lease_again() {
    let bench = Bench::new();
    let acts = [("guard_action", "gradual"), ("uuid", GPU_1)];
    let stale = with_labels("alertmanager-0.25-ha-stale-firing-after-resolved", &acts);
    let resolved = with_labels("alertmanager-0.25-ha-resolved", &acts);
    assert_eq!(bench.deliver_json(&stale).await.count("accepted"), 1);
    assert_eq!(bench.deliver_json(&resolved).await.count("released"), 1);
    assert_eq!(bench.deliver_json(&stale).await.count("accepted"), 1);
    assert_eq!(bench.alert_level(GPU_1), Level::Gradual);
    assert_eq!(bench.deliver_json(&resolved).await.count("released"), 1);
    assert!(bench.leases().is_empty());
}
