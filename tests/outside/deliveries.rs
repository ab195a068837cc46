//! Deliveries that aren't Alertmanager's, or not whole: refused by name, and said with what helps.

use serde_json::json;

use crate::common::guard::Guard;
use crate::sending::{CONFIG, SCALE, emergency, idle, outcome, post, said, send, uuid};

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
