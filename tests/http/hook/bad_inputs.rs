//! Bad inputs to the paths that actuate: the request, the code, and the reason in the answer. After each,
//! everything set before is unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::hook::bench::{Answer, Bench, GPU_0, GPU_1, TOKEN, alert, delivery};

const JSON: &str = "application/json";

/// For people, past the test harness.
fn counted<'a>(rows: impl Iterator<Item = &'a str>, of: &str) {
    let rows: Vec<_> = rows.collect();
    let different: BTreeSet<_> = rows.iter().collect();
    assert_eq!(different.len(), rows.len(), "the same twice");
    let _ = writeln!(
        std::io::stdout(),
        "measured: {} bad inputs ({of})",
        rows.len()
    );
}

async fn send(bench: &Bench, line: &str, kind: &str, body: impl Into<Body>) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    if !kind.is_empty() {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    bench.send(request.body(body.into()).unwrap()).await
}

/// A lease of an alert, one of an operator, and a pause.
async fn set_before() -> Bench {
    let bench = Bench::new();
    bench.alerts(&[alert("firing", "emergency")]).await;
    let lease = json!({"gpu": GPU_1, "level": "gradual", "for": "1h"}).to_string();
    assert_eq!(
        send(&bench, "POST /api/v1/leases", JSON, lease).await.code,
        200
    );
    let pause = json!({"gpu": GPU_1, "for": "1h"}).to_string();
    assert_eq!(
        send(&bench, "POST /api/v1/pauses", JSON, pause).await.code,
        200
    );
    bench
}

fn set(bench: &Bench) -> impl PartialEq + std::fmt::Debug + use<> {
    let shared = &bench.shared;
    let wall = shared.clock.wall();
    let paused = [GPU_0, GPU_1].map(|gpu| {
        let gpu = thermal_guard::device::Uuid::new(gpu);
        shared.paused_until(&gpu, wall).is_some()
    });
    let leases = bench.leases();
    let leases: Vec<_> = leases
        .into_iter()
        .map(|(gpu, holder, lease)| (gpu, holder, lease.level, lease.expires))
        .collect();
    (leases, paused, shared.is_detached(), shared.chain().last())
}

fn with(field: &str, value: Value) -> String {
    let mut body = delivery(&[alert("firing", "gradual")]);
    body[field] = value;
    body.to_string()
}

fn without(field: &str) -> String {
    let mut body = delivery(&[alert("firing", "gradual")]);
    body.as_object_mut().unwrap().remove(field);
    body.to_string()
}

#[expect(clippy::too_many_lines, reason = "a table, one row per mistake")]
#[tokio::test]
async fn a_body_that_is_no_delivery_is_refused_with_a_reason_and_changes_nothing() {
    let good = with("receiver", json!("guard"));
    let version = "version: must be the string \"4\"";
    let crowd = delivery(&vec![json!({}); 501]).to_string();
    let bad_inputs = [
        ("empty", "POST", JSON, String::new(), 400, "not JSON"),
        ("cut off", "POST", JSON, "{".to_owned(), 400, "line 1"),
        (
            "a slip",
            "POST",
            JSON,
            "{\n\"version\": \"4\",\n!".to_owned(),
            400,
            "line 3",
        ),
        (
            "nested",
            "POST",
            JSON,
            "[".repeat(100_000),
            400,
            "recursion",
        ),
        ("null", "POST", JSON, "null".to_owned(), 400, version),
        ("a list", "POST", JSON, "[]".to_owned(), 400, version),
        ("no version", "POST", JSON, without("version"), 400, version),
        (
            "an old version",
            "POST",
            JSON,
            with("version", json!("3")),
            400,
            version,
        ),
        (
            "a number",
            "POST",
            JSON,
            with("version", json!(4)),
            400,
            version,
        ),
        (
            "no alerts",
            "POST",
            JSON,
            without("alerts"),
            400,
            "alerts: must be an array",
        ),
        (
            "null alerts",
            "POST",
            JSON,
            with("alerts", json!(null)),
            400,
            "alerts: must be an array",
        ),
        (
            "a mapping",
            "POST",
            JSON,
            with("alerts", json!({})),
            400,
            "alerts: must be an array",
        ),
        (
            "more behind",
            "POST",
            JSON,
            format!("{good} x"),
            400,
            "trailing",
        ),
        (
            "501 alerts",
            "POST",
            JSON,
            crowd,
            413,
            "alerts: at most 500",
        ),
        (
            "long",
            "POST",
            JSON,
            with("receiver", json!("x".repeat(256 * 1024))),
            413,
            "at most 262144 bytes: group by fewer",
        ),
        (
            "a form",
            "POST",
            "application/x-www-form-urlencoded",
            good.clone(),
            415,
            "Content-Type must be application/json",
        ),
        (
            "text",
            "POST",
            "text/plain",
            good.clone(),
            415,
            "Content-Type must be application/json",
        ),
        (
            "nearly",
            "POST",
            "application/jsonx",
            good.clone(),
            415,
            "Content-Type must be application/json",
        ),
        (
            "no type",
            "POST",
            "",
            good.clone(),
            415,
            "Content-Type must be application/json",
        ),
        ("GET", "GET", JSON, good.clone(), 405, ""),
        ("HEAD", "HEAD", JSON, good.clone(), 405, ""),
        ("PUT", "PUT", JSON, good.clone(), 405, ""),
        ("DELETE", "DELETE", JSON, good.clone(), 405, ""),
        ("OPTIONS", "OPTIONS", JSON, good.clone(), 405, ""),
    ];
    let bench = set_before().await;
    let before = set(&bench);
    for (what, method, kind, body, code, says) in &bad_inputs {
        let answer = send(&bench, &format!("{method} /hook"), kind, body.clone()).await;
        assert_eq!(answer.code.as_u16(), *code, "{what}: {}", answer.text);
        if *code == 405 {
            assert_eq!(answer.headers[header::ALLOW], "POST", "{what}");
        } else {
            let error = answer.json()["error"].as_str().unwrap().to_owned();
            assert!(error.contains(says), "{what}: {error}");
        }
        assert_eq!(set(&bench), before, "{what}");
    }
    let not_utf8 = send(&bench, "POST /hook", JSON, &b"{\"version\":\"4\xff\"}"[..]).await;
    assert_eq!((not_utf8.code.as_u16(), set(&bench)), (400, before));
    counted(bad_inputs.iter().map(|row| row.0), "deliveries");
}

#[tokio::test]
async fn too_much_is_refused_by_its_announcement_and_just_enough_is_not() {
    let bench = Bench::new();
    let request = Request::post("/hook")
        .header(header::CONTENT_TYPE, JSON)
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(header::CONTENT_LENGTH, 256 * 1024 + 1);
    let answer = bench.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.code, 413);
    let full = delivery(&vec![json!({}); 500]);
    assert_eq!(bench.deliver_json(&full).await.count("rejected"), 500);
    assert!(bench.is_untouched());
    let body = delivery(&[alert("firing", "gradual")]).to_string();
    let kind = "Application/JSON; charset=utf-8";
    let taken = send(&bench, "POST /hook", kind, body).await;
    assert_eq!(taken.count("accepted"), 1);
}

/// One bad alert of a good delivery is lost alone, and counted with its own outcome.
#[tokio::test]
async fn an_alert_that_means_nothing_here_is_counted_and_moves_nothing() {
    let changed = |place: &str, value: Value| {
        let mut alert = alert("firing", "gradual");
        *alert.pointer_mut(place).unwrap() = value;
        alert
    };
    let many: BTreeMap<_, _> = (0..65).map(|n| (format!("l{n}"), "x")).collect();
    let mut unknown_action = alert("firing", "gradual");
    unknown_action["labels"]["guard_action"] = json!("x".repeat(1025));
    let mut timeless = alert("resolved", "emergency");
    timeless["startsAt"] = json!("yesterday");
    let bad_inputs = [
        ("no mapping", json!(7), "rejected"),
        ("no status", changed("/status", json!(null)), "rejected"),
        (
            "another status",
            changed("/status", json!("pending")),
            "rejected",
        ),
        ("no labels", changed("/labels", json!(null)), "rejected"),
        (
            "labels in a list",
            changed("/labels", json!([])),
            "rejected",
        ),
        (
            "a label that is no text",
            changed("/labels/uuid", json!(7)),
            "rejected",
        ),
        (
            "65 labels that nobody looks at",
            changed("/labels", json!(many)),
            "ignored",
        ),
        ("a long action", unknown_action, "rejected"),
        (
            "a long label",
            changed("/labels/uuid", json!("x".repeat(1025))),
            "rejected",
        ),
        ("an end without a start", timeless, "stale"),
        (
            "another action",
            changed("/labels/guard_action", json!("panic")),
            "not_allowed",
        ),
        (
            "another GPU",
            changed("/labels/uuid", json!("GPU-nobody")),
            "unmapped",
        ),
        (
            "a path",
            changed("/labels/uuid", json!("../../etc/passwd")),
            "unmapped",
        ),
    ];
    let bench = set_before().await;
    let before = set(&bench);
    for (what, alert, result) in &bad_inputs {
        let answer = bench.alerts(std::slice::from_ref(alert)).await;
        assert_eq!(answer.count(result), 1, "{what}: {}", answer.text);
        assert_eq!(set(&bench), before, "{what}");
    }
    counted(bad_inputs.iter().map(|row| row.0), "alerts in deliveries");
}

#[expect(clippy::too_many_lines, reason = "a table, one row per mistake")]
#[tokio::test]
async fn a_body_that_is_no_lease_or_pause_is_refused_with_a_reason_and_changes_nothing() {
    const LEASE: &str = "POST /api/v1/leases";
    const PAUSE: &str = "POST /api/v1/pauses";
    let shape = "such as {\"gpu\"";
    let level = "level: gradual or emergency";
    let period = "for: a duration over 0 and up to 24h";
    let lease = |gpu: Value, level: &str, period: Value| {
        json!({"gpu": gpu, "level": level, "for": period}).to_string()
    };
    let bad_inputs = [
        (LEASE, "{}".to_owned(), 400, "missing field `gpu`"),
        (LEASE, "null".to_owned(), 400, shape),
        (LEASE, "{".to_owned(), 400, shape),
        (LEASE, lease(json!(0), "none", json!("10m")), 400, level),
        (LEASE, lease(json!(0), "full", json!("10m")), 400, level),
        (
            LEASE,
            lease(json!(-1), "gradual", json!("10m")),
            400,
            "gpu: an index, a UUID",
        ),
        (
            LEASE,
            json!({"gpu": 0, "level": "gradual"}).to_string(),
            400,
            "missing field `for`",
        ),
        (
            LEASE,
            json!({"gpu": 0, "for": "1m"}).to_string(),
            400,
            "missing field `level`",
        ),
        (LEASE, lease(json!(0), "gradual", json!("25h")), 400, period),
        (LEASE, lease(json!(0), "gradual", json!("0s")), 400, period),
        (LEASE, lease(json!(0), "gradual", json!("-1m")), 400, period),
        (
            LEASE,
            lease(json!(0), "gradual", json!("99999999999999999999y")),
            400,
            period,
        ),
        (LEASE, lease(json!(0), "gradual", json!(600)), 400, period),
        (
            LEASE,
            json!({"gpu": 0, "level": "gradual", "for": "10m", "watts": 1000}).to_string(),
            400,
            "unknown field `watts`",
        ),
        (LEASE, lease(json!("2"), "gradual", json!("1m")), 404, GPU_1),
        (
            LEASE,
            lease(json!("GPU-nobody"), "gradual", json!("1m")),
            404,
            GPU_0,
        ),
        (
            LEASE,
            lease(json!("../../etc"), "gradual", json!("1m")),
            404,
            GPU_0,
        ),
        (LEASE, lease(json!(""), "gradual", json!("1m")), 404, GPU_0),
        (PAUSE, "{}".to_owned(), 400, "missing field `gpu`"),
        (
            PAUSE,
            json!({"gpu": 0, "for": "25h"}).to_string(),
            400,
            period,
        ),
        (
            PAUSE,
            json!({"gpu": 0, "for": 600}).to_string(),
            400,
            period,
        ),
        (
            PAUSE,
            json!({"gpu": [0], "for": "1m"}).to_string(),
            400,
            "gpu: an index, a UUID",
        ),
        (
            PAUSE,
            json!({"gpu": 0, "for": "1m", "level": "x"}).to_string(),
            400,
            "unknown field `level`",
        ),
        (
            PAUSE,
            json!({"gpu": 9, "for": "1m"}).to_string(),
            404,
            GPU_0,
        ),
        ("DELETE /api/v1/leases/2", String::new(), 404, GPU_0),
        (
            "DELETE /api/v1/leases/GPU-nobody",
            String::new(),
            404,
            GPU_1,
        ),
        ("DELETE /api/v1/pauses/-1", String::new(), 404, GPU_0),
        ("DELETE /api/v1/pauses/..%2F..", String::new(), 404, GPU_0),
    ];
    let bench = set_before().await;
    let before = set(&bench);
    for (line, body, code, says) in &bad_inputs {
        let answer = send(&bench, line, JSON, body.clone()).await;
        assert_eq!(
            answer.code.as_u16(),
            *code,
            "{line} {body}: {}",
            answer.text
        );
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(says), "{line} {body}: {error}");
        assert_eq!(set(&bench), before, "{line} {body}");
    }
    let rows: Vec<_> = bad_inputs
        .iter()
        .map(|row| format!("{} {}", row.0, row.1))
        .collect();
    counted(rows.iter().map(String::as_str), "leases and pauses");
}
