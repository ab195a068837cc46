//! The last hour, as the guard keeps it and as the charts get it.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use thermal_guard::clock::Clock;
use thermal_guard::device::{Missing, Reading, nvml};
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::GpuHandle;
use thermal_guard::guard::state::history::{History, POINTS, Point};
use thermal_guard::guard::state::{Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{Chain, State};
use thermal_guard::units::{Celsius, Moment, Watts};
use thermal_guard::web::snapshot::snapshots::Snapshots;
use thermal_guard::web::snapshot::{Build, ServiceView};
use thermal_guard::web::status::{self, Streams};
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::common::fleet;

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
}

/// A tick that reads nothing but what it is told.
fn tick(second: u64, degrees: f64, state: State) -> Tick {
    let mut tick = fleet::bare(fleet::identity(0, "card"));
    tick.reading = Reading {
        core: Ok(Celsius::new(degrees)),
        ..Reading::missing(at(second), Missing::NotSupported)
    };
    tick.decision.state = state;
    tick
}

fn points(history: &History, now: u64) -> Vec<Point> {
    history.points(at(now)).copied().collect()
}

#[test]
fn the_last_hour_forgets_the_one_before() {
    let mut history = History::default();
    for second in 0..8000 {
        let degrees = if second == 100 { 90.0 } else { 60.0 };
        history.record(&tick(second, degrees, State::Normal));
    }
    let max = history.max_and_mean(at(8000)).map(|(max, _)| max);
    assert_eq!(max, Some(Celsius::new(60.0)));
    assert!(points(&history, 8000).len() <= POINTS as usize);

    let mut history = History::default();
    history.record(&tick(100, 90.0, State::Normal));
    history.record(&tick(2000, 60.0, State::Normal));
    let both = Some((Celsius::new(90.0), Celsius::new(75.0)));
    assert_eq!(history.max_and_mean(at(3000)), both);
    assert_eq!(history.max_and_mean(at(9000)), None);
}

#[test]
fn a_point_keeps_both_ends_and_the_gravest_state() {
    let mut history = History::default();
    for (second, degrees, state) in [
        (20, 70.0, State::Normal),
        (24, 79.0, State::Emergency),
        (29, 76.0, State::Gradual),
        (30, 60.0, State::Recovering),
    ] {
        let mut tick = tick(second, degrees, state);
        tick.reading.limit = Ok(Watts::from_watts(if second == 24 { 100 } else { 300 }));
        history.record(&tick);
    }
    let points = points(&history, 31);
    assert_eq!(points.len(), 2);
    assert_eq!(points[0].core(), Some([70.0, 75.0, 79.0]));
    assert_eq!(points[0].state(), Some(State::Emergency));
    assert_eq!(points[0].limit(), Some(Watts::from_watts(100)));
    assert_eq!(points[1].core(), Some([60.0, 60.0, 60.0]));
    assert_eq!(points[1].draw(), None, "absent, not 0");
}

#[test]
fn what_was_not_seen_is_a_gap() {
    let mut history = History::default();
    history.record(&tick(0, 60.0, State::Normal));
    let mut blind = tick(10, 0.0, State::Blind);
    blind.reading.core = Err(Missing::Failed(nvml::code(999)));
    history.record(&blind);
    let mut gone = tick(20, 0.0, State::Blind);
    gone.up = false;
    history.record(&gone);
    let points = points(&history, 25);
    assert_eq!(points.len(), 2, "nothing where the card didn't answer");
    assert_eq!(
        (points[1].core(), points[1].state()),
        (None, Some(State::Blind))
    );
    let alone = Some((Celsius::new(60.0), Celsius::new(60.0)));
    assert_eq!(history.max_and_mean(at(25)), alone, "and never 0");
}

async fn get(shared: &Arc<Shared>, path: &str) -> (StatusCode, Value) {
    let rest = Box::new(ServiceView::default);
    let snapshots = Arc::new(Snapshots::new(shared.clone(), Build::current(), rest));
    let (_closing, closed) = watch::channel(false);
    let streams = Streams::new(snapshots.clone(), closed);
    let router = status::router(snapshots, streams);
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    let code = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (code, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn the_charts_get_columns_and_only_what_is_new() {
    let clock = Clock::start(1.0);
    let chain = Chain::new(Expected::No, None, Moment::START);
    let shared = Arc::new(Shared::new(clock, chain, Live::default()));
    let first = tick(0, 71.25, State::Gradual);
    let gpu_handle = Arc::new(GpuHandle::new(first.identity.clone()));
    gpu_handle.publish(first);
    shared.register(gpu_handle);

    let (code, all) = get(&shared, "/api/v1/history").await;
    assert_eq!(code, StatusCode::OK);
    let frame = json!([all["step_seconds"], all["points"], all["newest"]]);
    assert_eq!(frame, json!([10, 360, 0]));
    let gpu = &all["gpus"][0];
    assert_eq!(gpu["slot"], json!([0]));
    assert_eq!(gpu["mean_celsius"], json!([71.25]));
    assert_eq!(gpu["memory_max_celsius"], json!([null]));
    assert_eq!(gpu["state"], json!(["gradual"]));

    let (_, rest) = get(&shared, "/api/v1/history?after=0").await;
    assert_eq!(rest["gpus"][0]["slot"], json!([]));
    for nonsense in ["after=-1", "after=x", "before=1"] {
        let (code, _) = get(&shared, &format!("/api/v1/history?{nonsense}")).await;
        assert_eq!(code, StatusCode::BAD_REQUEST, "{nonsense}");
    }
}
