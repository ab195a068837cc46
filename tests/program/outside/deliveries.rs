//! Deliveries that aren't Alertmanager's, or aren't complete: the refusal names the reason and the remedy.

use serde_json::json;

use super::sending::{CONFIG, SCALE, emergency, idle, outcome, post, said, send, uuid};
use crate::common::guard::Guard;

fn guard() -> Guard {
    Guard::started(idle(1), SCALE, CONFIG)
}

#[test]
fn grafanas_own_alerts_are_refused_by_name_with_the_ways_out() {
    let guard = guard();
    let mut body = emergency(&json!({ "uuid": uuid(0) }));
    body["version"] = json!("1");
    body["orgId"] = json!(1);
    body["state"] = json!("alerting");
    let (code, text) = send(&guard, &body);
    assert_eq!(code, 400, "{text}");
    for word in [
        "Grafana",
        "contact point",
        "Alertmanager",
        "alertmanager.url",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    said(&guard, &["a delivery was refused", "Grafana"]);
}

#[test]
fn a_compressed_body_is_a_type_that_is_not_read() {
    let guard = guard();
    for encoding in ["gzip", "deflate", "zstd", "GZIP"] {
        let (code, text) = post(&guard, &[("Content-Encoding", encoding)], b"\x1f\x8b\x08\0");
        assert_eq!(code, 415, "{text}");
        assert!(text.contains("Content-Encoding"), "{text}");
    }
    let body = emergency(&json!({ "uuid": uuid(0) })).to_string();
    let plain = post(&guard, &[("Content-Encoding", "identity")], body.as_bytes());
    assert_eq!(plain.0, 200, "{}", plain.1);
}

#[test]
fn a_byte_order_mark_says_nothing() {
    let guard = guard();
    let body = emergency(&json!({ "uuid": uuid(0) })).to_string();
    let (code, text) = post(&guard, &[], format!("\u{feff}{body}").as_bytes());
    assert_eq!(code, 200, "{text}");
}

#[test]
fn what_was_cut_off_is_said_with_what_helps() {
    let guard = guard();
    let mut body = emergency(&json!({ "uuid": uuid(0) }));
    body["truncatedAlerts"] = json!(7);
    assert_eq!(outcome(&guard, &body, "accepted"), 1);
    said(&guard, &["cut alerts off", "max_alerts", "alerts=7"]);
    for _ in 0..20 {
        send(&guard, &body);
    }
    assert_eq!(guard.logged(&["cut alerts off"]).len(), 1);
}

#[test]
fn a_delivery_past_the_hook_is_said_with_what_helps_and_a_look_is_not() {
    let guard = guard();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let status = |request: ureq::RequestBuilder<_>| {
        let answer = request.send(b"{}").expect("an answer");
        answer.status().as_u16()
    };
    assert_eq!(agent.get(guard.url("/hook")).call().unwrap().status(), 405);
    assert_eq!(agent.get(guard.url("/hook/")).call().unwrap().status(), 404);
    assert_eq!(status(agent.post(guard.url("/other"))), 404);
    assert!(guard.logged(&["a delivery"]).is_empty());

    assert_eq!(status(agent.post(guard.url("/hook/"))), 404);
    said(&guard, &["path that there isn't", "must end in /hook"]);
    assert_eq!(status(agent.put(guard.url("/hook"))), 405);
    said(&guard, &["refused for its method", "only POST"]);
}

#[test]
fn a_delivery_that_is_too_large_is_said_with_what_helps() {
    let guard = guard();
    let mut body = emergency(&json!({ "uuid": uuid(0) }));
    body["alerts"] = json!(vec![json!({}); 501]);
    assert_eq!(send(&guard, &body).0, 413);
    said(&guard, &["refused for its size", "group"]);
}

#[test]
fn what_can_not_be_read_or_is_not_allowed_is_said_with_what_helps() {
    let guard = guard();
    let mut unread = emergency(&json!({ "uuid": uuid(0) }));
    unread["alerts"][0]["labels"] = json!([]);
    assert_eq!(outcome(&guard, &unread, "rejected"), 1);
    said(
        &guard,
        &["was rejected: it lacks status or labels", "see the sender"],
    );
    let mut unknown = emergency(&json!({ "uuid": uuid(0) }));
    unknown["alerts"][0]["labels"]["guard_action"] = json!("shutdown");
    assert_eq!(outcome(&guard, &unknown, "not_allowed"), 1);
    said(&guard, &["guard_action must be"]);
    let nothing = emergency(&json!({ "pod": "a" }));
    assert_eq!(outcome(&guard, &nothing, "unmapped"), 1);
    said(&guard, &["none of its labels names a GPU"]);
    assert!(!guard.log().contains("shutdown"), "what was sent");
}
