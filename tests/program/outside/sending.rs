//! Messages of Alertmanager and other senders to the hook, and the answers.

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// Idle cards: only an alert changes them.
pub(crate) fn idle(cards: usize) -> Machine {
    let machine = Machine::create(&vec!["a100-80gb"; cards], &[]);
    machine.ctl(&["set", "load=0.05", "inlet=20"]);
    machine
}

/// Plant and guard times as fast as the wall.
pub(crate) const SCALE: u32 = 10;

pub(crate) const CONFIG: &str = "policy: { recovery_delay: 5s }";

pub(crate) fn uuid(gpu: usize) -> String {
    format!("GPU-00000000-0000-4000-8000-{gpu:012x}")
}

/// As the simulated machine tells it: bus and device of card `gpu`.
pub(crate) fn address(guard: &Guard, gpu: usize) -> String {
    let index = gpu.to_string();
    let metrics = guard.metrics();
    let mut infos = metrics.series_of("thermal_guard_gpu_info");
    let info = infos.find(|(labels, _)| labels["gpu"] == index);
    info.expect("the card").0["pci_bus_id"].clone()
}

/// An alert with these labels; without a fingerprint, since those follow from labels.
pub(crate) fn alert(labels: &Value) -> Value {
    json!({
        "status": "firing",
        "labels": labels,
        "annotations": {},
        "startsAt": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
    })
}

/// A body of Alertmanager's webhook.
pub(crate) fn delivery(alerts: &[Value]) -> Value {
    json!({
        "version": "4",
        "status": "firing",
        "groupKey": "{}:{}",
        "receiver": "guard",
        "truncatedAlerts": 0,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "",
        "alerts": alerts,
    })
}

/// One alert that wants an emergency, with these labels beside that.
pub(crate) fn emergency(labels: &Value) -> Value {
    let mut labels = labels.clone();
    labels["alertname"] = json!("Hot");
    labels["guard_action"] = json!("emergency");
    delivery(&[alert(&labels)])
}

/// Code and text of the answer to these bytes.
pub(crate) fn post(guard: &Guard, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent
        .post(guard.url("/hook"))
        .header("Authorization", format!("Bearer {}", guard.token()))
        .header("Content-Type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).expect("an answer");
    let text = response.body_mut().read_to_string().expect("a text");
    (response.status().as_u16(), text)
}

pub(crate) fn send(guard: &Guard, body: &Value) -> (u16, String) {
    post(guard, &[], body.to_string().as_bytes())
}

/// How many alerts came to `outcome`.
#[track_caller]
pub(crate) fn outcome(guard: &Guard, body: &Value, outcome: &str) -> u64 {
    let (code, text) = send(guard, body);
    assert_eq!(code, 200, "{text}");
    let counts: Value = serde_json::from_str(&text).expect("JSON");
    counts[outcome].as_u64().expect("a count")
}

/// How many live leases a card has.
pub(crate) fn leases(guard: &Guard, gpu: usize) -> usize {
    let status = guard.status();
    let gpus = status["gpus"].as_array().expect("GPUs");
    let card = gpus.iter().find(|card| card["uuid"] == uuid(gpu));
    let leases = card.expect("the card")["leases"].as_array();
    leases.expect("leases").len()
}

/// Waits until the log has a line with all of these words.
#[track_caller]
pub(crate) fn said(guard: &Guard, words: &[&str]) {
    guard.wait(&format!("{words:?} in the log"), |_| {
        !guard.logged(words).is_empty()
    });
}
