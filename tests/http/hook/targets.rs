//! Which alerts reach which GPUs, and which of two alerts counts.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use thermal_guard::device::Uuid;
use thermal_guard::policy::{ChainState, Level};

use crate::hook::bench::{Bench, GPU_0, GPU_1, MIG_ON_1, alert, delivery, labelled};

/// The levels of the two GPUs, and what came of an alert with these labels.
async fn fire(labels: &[(&str, &str)]) -> ([Level; 2], String) {
    let bench = Bench::new();
    let mut labels = labels.to_vec();
    labels.push(("guard_action", "gradual"));
    let answer = bench.alerts(&[labelled("firing", &labels)]).await;
    let counts = answer.json();
    let counts = counts.as_object().unwrap().iter();
    let outcome = counts.filter(|(_, n)| **n == json!(1)).map(|(k, _)| k);
    let levels = [GPU_0, GPU_1].map(|gpu| bench.alert_level(gpu));
    (levels, outcome.cloned().collect())
}

const NONE: [Level; 2] = [Level::None, Level::None];
const FIRST: [Level; 2] = [Level::Gradual, Level::None];
const SECOND: [Level; 2] = [Level::None, Level::Gradual];
const BOTH: [Level; 2] = [Level::Gradual, Level::Gradual];

#[tokio::test]
async fn an_alert_reaches_the_gpu_it_names_and_no_other() {
    for (labels, levels) in [
        (&[("uuid", GPU_0)][..], FIRST),
        (&[("UUID", GPU_1)], SECOND),
        (&[("gpu_uuid", GPU_1)], SECOND),
        (&[("UUID", MIG_ON_1)], SECOND),
        (
            &[("uuid", GPU_1), ("gpu", "0"), ("instance", "n1:1")],
            SECOND,
        ),
        (
            &[("uuid", GPU_0), ("instance", "dcgm-exporter:9400")],
            FIRST,
        ),
        (&[("pci_bus_id", "0000:0b:00.0")], SECOND),
        (&[("gpu", "1"), ("instance", "n1.example:10835")], SECOND),
        (&[("gpu", "1"), ("instance", "10.0.0.5:9400")], SECOND),
        (&[("gpu", "1"), ("instance", "localhost:10835")], SECOND),
        (&[("gpu", "0"), ("Hostname", "n1")], FIRST),
        (&[("scope", "node"), ("node", "n1")], BOTH),
        (&[("uuid", GPU_0), ("scope", "node"), ("node", "n1")], FIRST),
    ] {
        assert_eq!(
            fire(labels).await,
            (levels, "accepted".to_owned()),
            "{labels:?}"
        );
    }
}

#[tokio::test]
async fn an_alert_about_no_gpu_of_ours_reaches_none() {
    for (labels, outcome) in [
        (&[][..], "unmapped"),
        (
            &[
                ("uuid", "GPU-of-another-node"),
                ("gpu", "0"),
                ("instance", "n1:1"),
            ],
            "unmapped",
        ),
        (&[("pci_bus_id", "00000000:0C:00.0")], "unmapped"),
        (
            &[("pci_bus_id", "0000:0b:00.0"), ("instance", "n2:10835")],
            "wrong_node",
        ),
        (&[("gpu", "1")], "unmapped"),
        (
            &[("gpu", "1"), ("instance", "n2.example:10835")],
            "wrong_node",
        ),
        (
            &[("gpu", "1"), ("instance", "127.0.0.1:9400")],
            "wrong_node",
        ),
        (
            &[("gpu", "2"), ("instance", "n1.example:10835")],
            "unmapped",
        ),
        (
            &[("gpu", "-1"), ("instance", "n1.example:10835")],
            "unmapped",
        ),
        (&[("scope", "node")], "unmapped"),
        (&[("scope", "node"), ("node", "n2")], "wrong_node"),
        (&[("scope", "fleet"), ("node", "n1")], "unmapped"),
    ] {
        assert_eq!(fire(labels).await, (NONE, outcome.to_owned()), "{labels:?}");
    }
}

#[tokio::test]
async fn only_the_known_actions_act() {
    let bench = Bench::with(|settings| {
        settings.severity_map = [("page".to_owned(), Level::Emergency)].into();
    });
    for (action, outcome) in [
        ("none", "ignored"),
        ("", "ignored"),
        ("shutdown", "not_allowed"),
        ("Emergency", "not_allowed"),
        ("emergency; limit=9", "not_allowed"),
    ] {
        let mut alert = alert("firing", action);
        alert["labels"]["severity"] = json!("page");
        assert_eq!(bench.alerts(&[alert]).await.count(outcome), 1, "{action}");
        assert!(bench.is_untouched(), "{action}");
    }
}

#[tokio::test]
async fn firing_goes_before_resolved_and_wins_over_it() {
    let bench = Bench::new();
    let pair = [alert("resolved", "gradual"), alert("firing", "gradual")];
    for first in ["accepted", "renewed"] {
        let answer = bench.alerts(&pair).await;
        assert_eq!((answer.count(first), answer.count("stale")), (1, 1));
        assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    }
    let twice = [alert("firing", "emergency"), alert("firing", "gradual")];
    bench.alerts(&twice).await;
    assert_eq!(bench.alert_level(GPU_0), Level::Emergency);
}

#[tokio::test]
async fn a_resolved_of_an_earlier_firing_is_stale() {
    let bench = Bench::new();
    bench.alerts(&[alert("firing", "gradual")]).await;
    for earlier in ["2026-11-23T08:06:41.751Z", "nonsense"] {
        let mut resolved = alert("resolved", "gradual");
        resolved["startsAt"] = json!(earlier);
        assert_eq!(bench.alerts(&[resolved]).await.count("stale"), 1);
        assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
    }
    let mut resolved = alert("resolved", "gradual");
    resolved["startsAt"] = json!("2026-11-23T10:06:41.752+02:00");
    assert_eq!(bench.alerts(&[resolved]).await.count("released"), 1);
}

#[tokio::test]
async fn one_bad_alert_costs_itself_only() {
    let bench = Bench::new();
    let mut too_long = alert("firing", "emergency");
    too_long["labels"]["guard_action"] = json!("x".repeat(1025));
    let mut named_too_long = alert("firing", "emergency");
    named_too_long["labels"]["uuid"] = json!("x".repeat(1025));
    let mut no_text = alert("firing", "emergency");
    no_text["labels"]["x"] = json!(7);
    let no_labels = json!({"status": "firing"});
    let bad = [
        too_long,
        named_too_long,
        no_text,
        no_labels,
        json!(null),
        json!([]),
        alert("Firing", "emergency"),
    ];
    let mut all = bad.to_vec();
    all.insert(3, alert("firing", "gradual"));
    let answer = bench.alerts(&all).await;
    assert_eq!((answer.count("rejected"), answer.count("accepted")), (7, 1));
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
}

#[tokio::test]
async fn a_heartbeat_for_another_node_is_not_ours() {
    let bench = Bench::new();
    let beat = |labels: &[(&str, &str)]| {
        let mut labels = labels.to_vec();
        labels.push(("guard_action", "heartbeat"));
        let mut alert = labelled("firing", &labels);
        alert["annotations"] = json!({"eval_ts": "1795421657.013"});
        delivery(&[alert])
    };
    let answer = bench.deliver_json(&beat(&[("instance", "n2:10835")])).await;
    assert_eq!(answer.count("wrong_node"), 1);
    assert!(bench.is_untouched());
    let mut resolved = beat(&[("instance", "n2:10835")]);
    bench.deliver_json(&beat(&[("instance", "n1:10835")])).await;
    assert_eq!(bench.shared.chain_state(), ChainState::Ok);
    resolved["alerts"][0]["status"] = json!("resolved");
    bench.deliver_json(&resolved).await;
    assert_eq!(bench.shared.chain_state(), ChainState::Ok);
}

#[tokio::test]
async fn a_heartbeat_from_no_time_at_all_is_none_that_advances() {
    let bench = Bench::new();
    for eval_ts in [
        json!("inf"),
        json!("NaN"),
        json!(1_795_421_657),
        json!(null),
    ] {
        let mut alert = labelled("firing", &[("guard_action", "heartbeat")]);
        alert["annotations"] = json!({"eval_ts": eval_ts});
        bench.alerts(&[alert]).await;
        assert_eq!(bench.shared.chain_state(), ChainState::Stale);
    }
}

#[tokio::test]
async fn a_new_lease_wakes_the_worker() {
    let bench = Bench::new();
    let (done, woken) = mpsc::channel();
    let shared = Arc::clone(&bench.shared);
    let worker = thread::spawn(move || {
        let gpu = Uuid::new(GPU_0);
        while shared.leases().of(&gpu).next().is_none() {
            thread::park();
        }
        done.send(()).unwrap();
    });
    let gpu_handle = bench.shared.gpu_handle(&Uuid::new(GPU_0)).unwrap();
    gpu_handle.set_thread(worker.thread().clone());
    bench.alerts(&[alert("firing", "gradual")]).await;
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    worker.join().unwrap();
}
