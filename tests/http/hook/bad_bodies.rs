//! Bodies that are no delivery: they get the right code, and change nothing.

use axum::body::Body;
use axum::http::{Request, header};
use proptest::prelude::*;
use serde_json::{Value, json};
use thermal_guard::policy::Level;

use crate::hook::bench::{Bench, GPU_0, TOKEN, alert, delivery};

fn with(field: &str, value: Value) -> Value {
    let mut body = delivery(&[alert("firing", "gradual")]);
    body[field] = value;
    body
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
