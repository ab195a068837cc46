//! What is not a delivery: the right code, and nothing moved.

use axum::body::Body;
use axum::http::{Method, Request, header};
use proptest::prelude::*;
use serde_json::{Value, json};
use thermal_guard::policy::Level;

use crate::bench::{Bench, GPU_0, TOKEN, alert, delivery, hook_request};

fn without(field: &str) -> Value {
    let mut body = delivery(&[alert("firing", "gradual")]);
    body.as_object_mut().unwrap().remove(field);
    body
}

fn with(field: &str, value: Value) -> Value {
    let mut body = delivery(&[alert("firing", "gradual")]);
    body[field] = value;
    body
}

#[tokio::test]
async fn a_malformed_body_is_a_400_that_says_where() {
    let bench = Bench::new();
    let deep = "[".repeat(100_000);
    for (body, part) in [
        (String::new(), "line 1"),
        ("{".to_owned(), "line 1"),
        ("{\n\"version\": \"4\",\n!".to_owned(), "line 3"),
        (deep, "recursion"),
        ("null".to_owned(), "version"),
        ("[]".to_owned(), "version"),
        (without("version").to_string(), "version"),
        (with("version", json!("3")).to_string(), "version"),
        (with("version", json!(4)).to_string(), "version"),
        (without("alerts").to_string(), "alerts"),
        (with("alerts", json!(null)).to_string(), "alerts"),
        (with("alerts", json!({})).to_string(), "alerts"),
        (
            format!("{} x", delivery(&[alert("firing", "gradual")])),
            "trailing",
        ),
    ] {
        let answer = bench.deliver(body).await;
        assert_eq!(answer.code, 400, "{}", answer.text);
        let reason = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(reason.contains(part), "{reason}");
        assert!(bench.is_untouched());
    }
    let not_utf8 = bench.deliver(&b"{\"version\":\"4\xff\"}"[..]).await;
    assert_eq!(not_utf8.code, 400);
}

#[tokio::test]
async fn too_much_is_a_413() {
    let bench = Bench::new();
    let padded = with("receiver", json!("x".repeat(256 * 1024))).to_string();
    let mut announced = hook_request(Body::from("{}"));
    let length = header::HeaderValue::from(256 * 1024 + 1);
    announced
        .headers_mut()
        .insert(header::CONTENT_LENGTH, length);
    let crowd = vec![json!({}); 501];
    for answer in [
        bench.deliver(padded).await,
        bench.send(announced).await,
        bench.deliver_json(&delivery(&crowd)).await,
    ] {
        assert_eq!(answer.code, 413, "{}", answer.text);
        assert!(bench.is_untouched());
    }
    let full = bench.deliver_json(&delivery(&crowd[..500])).await;
    assert_eq!(full.count("rejected"), 500);
}

#[tokio::test]
async fn only_a_post_of_json_is_a_delivery() {
    let bench = Bench::new();
    let body = delivery(&[alert("firing", "gradual")]).to_string();
    for method in [
        Method::GET,
        Method::HEAD,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
    ] {
        let mut request = hook_request(body.clone());
        *request.method_mut() = method.clone();
        let answer = bench.send(request).await;
        assert_eq!(answer.code, 405, "{method}");
        assert_eq!(answer.headers[header::ALLOW], "POST", "{method}");
    }
    let form = "application/x-www-form-urlencoded";
    for content_type in [
        Some(form),
        Some("text/plain"),
        Some("application/jsonx"),
        None,
    ] {
        let mut request = hook_request(body.clone());
        request.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(value) = content_type {
            let value = value.parse().unwrap();
            request.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        assert_eq!(bench.send(request).await.code, 415, "{content_type:?}");
    }
    assert!(bench.is_untouched());
    let mut request = hook_request(body);
    let charset = "Application/JSON; charset=utf-8".parse().unwrap();
    request.headers_mut().insert(header::CONTENT_TYPE, charset);
    assert_eq!(bench.send(request).await.count("accepted"), 1);
}

#[tokio::test]
async fn a_query_is_no_part_of_a_delivery() {
    let bench = Bench::new();
    let request = Request::post("/hook?uuid=all&level=emergency")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::from(
            delivery(&[alert("firing", "gradual")]).to_string(),
        ));
    bench.send(request.unwrap()).await;
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
}

#[tokio::test]
async fn an_answer_repeats_nothing_that_was_sent() {
    let bench = Bench::new();
    let secret = "s3cr3t";
    let mut odd = alert("firing", "gradual");
    for field in ["alertname", "guard_action", "uuid", "instance", "severity"] {
        odd["labels"][field] = json!(secret);
    }
    let bodies = [
        delivery(&[odd]),
        with("version", json!(secret)),
        with("alerts", json!(secret)),
        json!(secret),
        json!({"version": {secret: secret}}),
    ];
    for body in bodies {
        for text in [body.to_string(), format!("{body}{secret}")] {
            let answer = bench.deliver(text).await;
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = "version|alerts|status|labels|firing|resolved|4|guard_action|emergency|uuid|[a-zé\"\\\\]{0,8}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((words, inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A good delivery with some of its parts replaced by anything.
fn damaged() -> impl Strategy<Value = Value> {
    let places = [
        "/version",
        "/alerts",
        "/alerts/0",
        "/alerts/0/status",
        "/alerts/0/labels",
        "/alerts/0/labels/guard_action",
        "/alerts/0/labels/uuid",
        "/alerts/0/startsAt",
        "/alerts/0/fingerprint",
        "/alerts/0/annotations",
        "/truncatedAlerts",
    ];
    let place = prop::sample::select(places.to_vec());
    prop::collection::vec((place, any_json()), 0..3).prop_map(|damages| {
        let mut body = delivery(&[alert("firing", "emergency")]);
        for (place, value) in damages {
            if let Some(part) = body.pointer_mut(place) {
                *part = value;
            }
        }
        body
    })
}

/// Whether a body holds what alone may take a lease here.
fn may_act(body: &Value) -> bool {
    let acts = |alert: &Value| {
        let action = alert["labels"]["guard_action"].as_str();
        alert["status"] == "firing"
            && alert["labels"]["uuid"] == GPU_0
            && matches!(action, Some("gradual" | "emergency"))
    };
    let alerts = body["alerts"].as_array();
    body["version"] == "4" && alerts.is_some_and(|alerts| alerts.iter().any(acts))
}

fn deliver(bench: &Bench, body: Vec<u8>) -> u16 {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().unwrap();
    runtime.block_on(bench.deliver(body)).code.as_u16()
}

proptest! {
    #[test]
    fn garbage_changes_nothing(body in prop::collection::vec(any::<u8>(), 0..512)) {
        let bench = Bench::new();
        prop_assert_eq!(deliver(&bench, body), 400);
        prop_assert!(bench.is_untouched());
    }

    #[test]
    fn random_json_changes_nothing(body in any_json()) {
        let bench = Bench::new();
        let code = deliver(&bench, body.to_string().into_bytes());
        prop_assert!(matches!(code, 200 | 400), "{}", code);
        prop_assert!(bench.is_untouched());
    }

    #[test]
    fn only_a_whole_firing_takes_a_lease(body in damaged()) {
        let bench = Bench::new();
        let code = deliver(&bench, body.to_string().into_bytes());
        prop_assert!(matches!(code, 200 | 400), "{}", code);
        prop_assert_eq!(!bench.leases().is_empty(), may_act(&body) && code == 200);
    }
}
