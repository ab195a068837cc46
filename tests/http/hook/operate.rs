//! Health, readiness, reload, detach and attach; the last two over a real guard.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use thermal_guard::alerts::Desk;
use thermal_guard::guard::state::Shared;
use thermal_guard::guard::{Guard, Plan};
use thermal_guard::sim::card::{Card, Conditions, Rack};
use thermal_guard::sim::profile;
use thermal_guard::units::Celsius;
use thermal_guard::web::access::actuators::{Actuators, Tokens};
use thermal_guard::web::{self, App, Reload};

use crate::hook::bench::{self, Answer, Bench, TOKEN, send};

async fn call(app: &Router, method: &str, path: &str) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {TOKEN}"))
        .body(Body::empty());
    send(app, request.unwrap()).await
}

fn app(shared: &Arc<Shared>, tokens: Tokens, reload: Reload) -> Router {
    let desk = Desk::new(shared.clone(), bench::settings());
    let actuators = Actuators::new(tokens, Vec::new());
    web::router(Arc::new(App::new(
        Arc::new(desk),
        Arc::new(actuators),
        reload,
    )))
}

/// Two simulated GPUs under a real guard.
struct House {
    guard: Guard,
    shared: Arc<Shared>,
    app: Router,
    _tokens: tempfile::TempDir,
}

impl House {
    fn build() -> Self {
        let shared = Arc::new(bench::shared());
        let clock = shared.clock;
        let profile = profile::named("a100-80gb").unwrap();
        let world = || Box::new(|_| Conditions::full_load(Celsius::new(20.0)));
        let cards = (0..2).map(|index| Card::new(profile, index, world()));
        let plan = Plan {
            driver: Arc::new(Rack::new(cards.collect(), move || clock.now())),
            state_dir: None,
            lock_dir: None,
        };
        let tokens = tempfile::tempdir().unwrap();
        let file = tokens.path().join("tokens");
        std::fs::write(&file, TOKEN).unwrap();
        let app = app(
            &shared,
            Tokens::from_file(file).unwrap(),
            Box::new(|| Ok(())),
        );
        Self {
            guard: Guard::start(plan, shared.clone()).unwrap(),
            shared,
            app,
            _tokens: tokens,
        }
    }

    async fn until(&self, is_so: impl AsyncFn(&Self) -> bool) {
        let waiting = async {
            while !is_so(self).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap();
    }

    fn up(&self) -> Vec<bool> {
        self.shared.ticks().iter().map(|tick| tick.up).collect()
    }
}

#[tokio::test]
async fn health_needs_no_credential() {
    let bench = Bench::new();
    bench::know_gpus(&bench.shared, false);
    for method in ["GET", "HEAD"] {
        let request = |path| Request::builder().method(method).uri(path);
        let healthy = request("/-/healthy").body(Body::empty()).unwrap();
        assert_eq!(bench.send(healthy).await.code, 200, "{method}");
        let ready = request("/-/ready").body(Body::empty()).unwrap();
        assert_eq!(bench.send(ready).await.code, 503, "{method}");
    }
}

#[tokio::test]
async fn a_guard_is_ready_when_every_gpu_was_read() {
    let bench = Bench::new();
    let unread = call(&bench.router, "GET", "/-/ready").await;
    assert_eq!(unread.code, 503);
    assert!(unread.text.contains("2 of 2"), "{}", unread.text);
    bench::know_gpus(&bench.shared, false);
    let unknown = call(&bench.router, "GET", "/-/ready").await;
    assert!(
        unknown.text.contains("GPUs aren't known"),
        "{}",
        unknown.text
    );

    let house = House::build();
    house
        .until(async |house| call(&house.app, "GET", "/-/ready").await.code == 200)
        .await;
    assert_eq!(house.up(), [true, true]);
    assert!(house.guard.stop());
}

#[tokio::test]
async fn a_detach_answers_when_every_handle_is_let_go_of() {
    let house = House::build();
    house.until(async |house| house.up() == [true, true]).await;
    for _again in 0..2 {
        let answer = call(&house.app, "POST", "/-/detach").await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        assert_eq!(answer.json()["detached"], true);
        assert_eq!(house.up(), [false, false]);
    }
    assert_eq!(call(&house.app, "POST", "/-/attach").await.code, 200);
    house.until(async |house| house.up() == [true, true]).await;
    assert!(house.guard.stop());
}

#[tokio::test(start_paused = true)]
async fn a_detach_names_the_gpu_that_is_still_held() {
    let bench = Bench::new();
    let holding = bench.shared.hold_driver();
    let answer = call(&bench.router, "POST", "/-/detach").await;
    assert_eq!(answer.code, 503);
    let answer = answer.json();
    assert_eq!(answer["detached"], false);
    let held = answer["held"].as_array().unwrap();
    assert_eq!(held.len(), 3, "two workers that don't answer, and one more");
    assert_eq!(held[0]["uuid"], bench::GPU_0);
    drop(holding);
    assert!(!bench.shared.is_driver_held());
}

#[tokio::test]
async fn a_reload_reports_mistakes_in_the_configuration() {
    let bench = Bench::new();
    assert_eq!(call(&bench.router, "POST", "/-/reload").await.code, 200);
    assert_eq!(bench.reloads.load(Ordering::SeqCst), 1);

    let file = bench.state.path().join("tokens");
    let tokens = Tokens::from_file(file).unwrap();
    let wrong = || Err("hook.lease: must be a duration".to_owned());
    let app = app(&bench.shared, tokens, Box::new(wrong));
    let answer = call(&app, "POST", "/-/reload").await;
    assert_eq!(answer.code, 500);
    assert_eq!(answer.json()["error"], "hook.lease: must be a duration");
}
