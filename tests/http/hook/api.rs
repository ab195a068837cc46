//! Manual leases and pauses.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use thermal_guard::device::Uuid;
use thermal_guard::policy::Level;

use crate::hook::bench::{Answer, Bench, GPU_0, GPU_1, TOKEN, alert};

pub(crate) async fn call(bench: &Bench, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::from(body.to_string()));
    bench.send(request.unwrap()).await
}

fn manual(bench: &Bench) -> [Level; 2] {
    [GPU_0, GPU_1].map(|gpu| bench.asked(gpu).manual)
}

pub(crate) fn lease(gpu: impl Into<Value>, level: &str) -> Value {
    json!({"gpu": gpu.into(), "level": level, "for": "10m"})
}

#[tokio::test]
async fn an_operator_throttles_a_gpu_by_any_of_its_names_and_releases_it() {
    let (first, second) = ([Level::Gradual, Level::None], [Level::None, Level::Gradual]);
    for (gpu, levels) in [
        (json!(0), first),
        (json!("1"), second),
        (json!(GPU_1), second),
        (json!("00000000:0A:00.0"), first),
        (json!("0B:00.0"), second),
        (json!("0a:00"), first),
        (json!("all"), [Level::Gradual; 2]),
    ] {
        let bench = Bench::new();
        let answer = call(
            &bench,
            "POST",
            "/api/v1/leases",
            &lease(gpu.clone(), "gradual"),
        )
        .await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        assert_eq!(answer.json()["gpus"][0]["for_seconds"], 600);
        assert_eq!(manual(&bench), levels, "{gpu}");
        let name = gpu.as_str().map_or("0".to_owned(), str::to_owned);
        let path = format!("/api/v1/leases/{name}");
        let answer = call(&bench, "DELETE", &path, &json!(null)).await;
        assert_eq!(answer.json()["gpus"][0]["ended"], true);
        assert_eq!(manual(&bench), [Level::None; 2], "{gpu}");
        let again = call(&bench, "DELETE", &path, &json!(null)).await;
        assert_eq!(again.json()["gpus"][0]["ended"], false);
    }
}

#[tokio::test]
async fn a_release_ends_no_alerts_lease() {
    let bench = Bench::new();
    bench.alerts(&[alert("firing", "emergency")]).await;
    call(&bench, "POST", "/api/v1/leases", &lease(0, "gradual")).await;
    call(&bench, "DELETE", "/api/v1/leases/0", &json!(null)).await;
    assert_eq!(manual(&bench), [Level::None; 2]);
    assert_eq!(bench.alert_level(GPU_0), Level::Emergency);
}

#[tokio::test]
async fn a_pause_lasts_until_it_is_resumed() {
    let bench = Bench::new();
    let paused = || {
        let shared = &bench.shared;
        let wall = shared.clock.wall();
        [GPU_0, GPU_1].map(|gpu| {
            shared
                .take_inputs(&Uuid::new(gpu), wall)
                .paused_until
                .is_some()
        })
    };
    let pause = json!({"gpu": 1, "for": "30m"});
    call(&bench, "POST", "/api/v1/pauses", &pause).await;
    assert_eq!(paused(), [false, true]);
    let answer = call(&bench, "DELETE", "/api/v1/pauses/all", &json!(null)).await;
    assert_eq!(answer.json()["gpus"][0]["ended"], false);
    assert_eq!(answer.json()["gpus"][1]["ended"], true);
    assert_eq!(paused(), [false, false]);
}

#[tokio::test]
async fn before_the_gpus_are_known_the_api_says_try_later() {
    let bench = Bench::new();
    crate::hook::bench::know_gpus(&bench.shared, false);
    let answer = call(&bench, "POST", "/api/v1/leases", &lease(0, "gradual")).await;
    assert_eq!(answer.code, 503);
    assert!(bench.is_untouched());
}

#[tokio::test]
async fn a_lease_that_can_not_act_says_why() {
    let bench = Bench::new();
    let notes = |answer: Answer| answer.json()["gpus"][0]["notes"].clone();
    let throttle = lease(0, "gradual");
    let free = call(&bench, "POST", "/api/v1/leases", &throttle).await;
    assert_eq!(notes(free), Value::Null, "nothing is in the way");

    let pause = json!({"gpu": 0, "for": "30m"});
    let paused = call(&bench, "POST", "/api/v1/pauses", &pause).await;
    assert!(notes(paused)[0].as_str().unwrap().contains("a live lease"));
    let held = call(&bench, "POST", "/api/v1/leases", &throttle).await;
    assert!(
        notes(held)[0]
            .as_str()
            .unwrap()
            .contains("paused for another")
    );
    call(&bench, "DELETE", "/api/v1/pauses/0", &json!(null)).await;

    bench.shared.detach();
    let detached = call(&bench, "POST", "/api/v1/leases", &throttle).await;
    assert!(notes(detached)[0].as_str().unwrap().contains("detached"));
}
