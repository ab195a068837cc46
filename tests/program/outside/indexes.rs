//! An index means the card that has it now.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::sending::{CONFIG, SCALE, emergency, idle, leases, outcome, uuid};
use crate::common::card::limit;
use crate::common::guard::Guard;

fn client(guard: &Guard, command: &str, arguments: &[&str]) -> (i32, String) {
    let url = format!("--url={}", guard.url(""));
    let token = format!("--token-file={}", guard.token_file().display());
    let all = [arguments, &[&url, &token]].concat();
    let output = guard.run(command, &all);
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&both).into_owned();
    (output.status.code().expect("it ends"), said)
}

/// Three cards, of which the first is gone after a detach: the other two are 0 and 1 now.
fn moved() -> Guard {
    let guard = Guard::started(idle(3), SCALE, CONFIG);
    assert_eq!(client(&guard, "detach", &[]).0, 0);
    guard.machine.ctl(&["order", "1", "2"]);
    assert_eq!(client(&guard, "attach", &[]).0, 0);
    guard.wait("the others are back", |metrics| {
        let up = metrics.all("thermal_guard_gpu_up", &[]);
        let up = up.iter().filter(|up| **up > 0.0);
        up.count() == 2 && metrics.of(0, "thermal_guard_gpu_up", &[("uuid", &uuid(1))]) == Some(1.0)
    });
    guard
}

#[test]
fn a_manual_lease_by_index_is_on_the_card_that_has_it_now() {
    let guard = moved();
    let order = ["--gpu", "0", "--level", "emergency", "--for", "10m"];
    let (code, said) = client(&guard, "throttle", &order);
    assert_eq!(code, 0, "{said}");
    guard.wait_gpu(1, "held", |card| limit(card) <= 100.0);
    assert_eq!(leases(&guard, 0), 0, "{said}");
}

#[test]
fn an_alert_by_index_is_on_the_card_that_has_it_now() {
    let guard = moved();
    let (instance, labels) = (
        guard.address(),
        |it: &str| json!({ "gpu": "0", "instance": it }),
    );
    let body = emergency(&labels(&instance.to_string()));
    assert_eq!(outcome(&guard, &body, "accepted"), 1);
    guard.wait_gpu(1, "held", |card| limit(card) <= 100.0);
    assert_eq!(leases(&guard, 0), 0);
}

#[test]
fn no_two_cards_have_one_number() {
    let guard = moved();
    let status = guard.status();
    let gpus = status["gpus"].as_array().expect("GPUs");
    assert_eq!(gpus.len(), 3, "the one that is gone is still told of");
    let indexes: Vec<_> = gpus
        .iter()
        .filter_map(|gpu| gpu["index"].as_u64())
        .collect();
    let different: BTreeSet<_> = indexes.iter().collect();
    assert_eq!(different.len(), indexes.len(), "{indexes:?}");
    let gone = gpus.iter().find(|gpu| gpu["uuid"] == uuid(0));
    assert_eq!(gone.map(|gpu| &gpu["index"]), Some(&Value::Null));
    let metrics = guard.metrics();
    let up = metrics.series_of("thermal_guard_gpu_up");
    let labels: Vec<_> = up.map(|(labels, _)| labels["gpu"].clone()).collect();
    let different: BTreeSet<_> = labels.iter().collect();
    assert_eq!(different.len(), 3, "{labels:?}");
}

#[test]
fn a_manual_lease_on_a_card_that_is_gone_says_so() {
    let guard = moved();
    let gone = uuid(0);
    let order = ["--gpu", &gone, "--level", "emergency", "--for", "10m"];
    let (code, said) = client(&guard, "throttle", &order);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("it is gone"), "{said}");
    assert!(said.contains("another card's now"), "{said}");
}
