//! A guard that Prometheus calls otherwise than it calls itself, as in a container.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::sending::{CONFIG, SCALE, alert, delivery, idle, outcome, said, uuid};
use crate::common::guard::Guard;

/// The name that Prometheus uses; no machine that runs this test has it.
const INSTANCE: &str = "gpu1.prometheus.example:10835";

fn heartbeat() -> Value {
    let mut beat = alert(&json!({ "guard_action": "heartbeat", "instance": INSTANCE }));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    beat["annotations"] = json!({ "eval_ts": now.expect("a time").as_secs_f64().to_string() });
    delivery(&[beat])
}

fn told(guard: &Guard, command: &str, arguments: &[&str]) -> String {
    let url = format!("--url={}", guard.url(""));
    let output = guard.run(command, &[arguments, &[&url]].concat());
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn a_guard_says_whom_heartbeats_are_for_and_who_it_is() {
    let guard = Guard::started(idle(1), SCALE, CONFIG);
    assert_eq!(outcome(&guard, &heartbeat(), "wrong_node"), 1);
    let status = guard.status();
    let own = status["node"].as_str().expect("a name").to_owned();
    assert_eq!(status["chain"]["other_instance"], INSTANCE, "{status}");
    said(
        &guard,
        &[
            "heartbeats come for another node",
            INSTANCE,
            "node.names",
            &own,
        ],
    );
    for (command, arguments) in [("status", &[][..]), ("check", &[])] {
        let text = told(&guard, command, arguments);
        for word in [INSTANCE, &own, "node.names"] {
            assert!(text.contains(word), "{command}: {word}: {text}");
        }
    }
}

#[test]
fn a_guard_can_be_given_names_and_then_has_its_chain() {
    let names = format!("{CONFIG}\nnode: {{ names: [gpu1.prometheus.example] }}");
    let guard = Guard::started(idle(1), SCALE, &names);
    assert_eq!(outcome(&guard, &heartbeat(), "accepted"), 1);
    assert_eq!(guard.metrics().chain(), Some("ok"));
    let status = guard.status();
    assert_eq!(status["chain"]["instance"], INSTANCE, "{status}");
    let labels = json!({ "guard_action": "gradual", "gpu": "0", "instance": INSTANCE });
    assert_eq!(outcome(&guard, &delivery(&[alert(&labels)]), "accepted"), 1);
}

/// One file for all nodes of a cluster: the pod's template has the name of its own.
#[test]
fn a_name_comes_by_the_environment_and_a_reload_keeps_it() {
    let mut guard = Guard::new(idle(1), SCALE, CONFIG);
    guard.set_env("THERMAL_GUARD_NODE_NAME", "gpu1.prometheus.example");
    guard.start();
    assert_eq!(outcome(&guard, &heartbeat(), "accepted"), 1);
    guard.configure(&format!("{CONFIG}\nnode: {{ names: [rack7] }}"));
    guard.signal("HUP");
    said(&guard, &["configuration reloaded"]);
    assert_eq!(outcome(&guard, &heartbeat(), "accepted"), 1);
    assert!(told(&guard, "check", &[]).contains("gpu1.prometheus.example"));
}

#[test]
fn a_name_is_taken_by_a_reload() {
    let guard = Guard::started(idle(1), SCALE, CONFIG);
    assert_eq!(outcome(&guard, &heartbeat(), "wrong_node"), 1);
    guard.configure(&format!("{CONFIG}\nnode: {{ names: [{INSTANCE:?}] }}"));
    guard.signal("HUP");
    said(&guard, &["configuration reloaded"]);
    assert_eq!(outcome(&guard, &heartbeat(), "accepted"), 1);
    assert!(guard.status()["chain"]["other_instance"].is_null());
    assert_eq!(guard.status()["gpus"][0]["uuid"], uuid(0));
}
