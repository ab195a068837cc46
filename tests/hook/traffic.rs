//! How the hook behaves when it isn't ready, when senders are slow or many, and what it counts.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use thermal_guard::guard::Clock;
use thermal_guard::policy::Level;
use thermal_guard::web::alert::{Action, Outcome, Status};

use crate::bench::{Bench, GPU_0, alert, delivery, hook_request};

/// A body that begins and never ends; how many of them are being read.
#[derive(Default)]
struct Endless(Arc<AtomicUsize>, bool);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !mem::replace(&mut self.1, true) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Pending
    }
}

#[tokio::test]
async fn before_the_gpus_are_known_a_delivery_is_to_be_tried_again() {
    let bench = Bench::new();
    bench.web.shared.driver_status().ready = false;
    assert_eq!(bench.alerts(&[alert("firing", "gradual")]).await.code, 503);
    assert!(bench.is_untouched());
    bench.web.shared.driver_status().ready = true;
    assert_eq!(bench.alerts(&[alert("firing", "gradual")]).await.code, 200);
}

#[tokio::test]
async fn a_guard_that_shuts_down_takes_no_delivery() {
    let bench = Bench::new();
    bench.web.shared.stop();
    assert_eq!(bench.alerts(&[alert("firing", "gradual")]).await.code, 503);
    assert!(bench.is_untouched());
}

#[tokio::test(start_paused = true)]
async fn slow_senders_hold_sixteen_places_and_lose_them() {
    let bench = Arc::new(Bench::new());
    let places = Arc::new(AtomicUsize::new(0));
    let slow = (0..16).map(|_| {
        let (bench, body) = (bench.clone(), Endless(places.clone(), false));
        tokio::spawn(async move { bench.deliver(Body::new(body)).await.code })
    });
    let slow: Vec<_> = slow.collect();
    // The token is looked at on another thread, so one turn of ours isn't enough.
    while places.load(Ordering::Relaxed) < 16 {
        tokio::task::yield_now().await;
    }
    let one_more = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(one_more.code, 503, "{}", one_more.text);
    assert!(bench.is_untouched());
    for sender in slow {
        assert_eq!(sender.await.unwrap(), 503);
    }
    let now = bench.alerts(&[alert("firing", "gradual")]).await;
    assert_eq!(now.count("accepted"), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_actuate_holds_no_place() {
    let bench = Bench::new();
    let mut request = hook_request(Body::new(Endless::default()));
    request.headers_mut().remove("authorization");
    assert_eq!(bench.send(request).await.code, 401, "before the body");
}

#[tokio::test]
async fn every_answer_and_every_alert_is_counted() {
    let bench = Bench::new();
    let before = bench.counters();
    assert!(before.requests.len() >= 8 && before.requests.values().all(|&n| n == 0));
    assert!(before.alerts.values().all(|&n| n == 0));
    assert_eq!(before.last_success, None);
    let began = Clock::unix();

    let good = delivery(&[alert("firing", "gradual"), alert("resolved", "none")]);
    bench.deliver_json(&good).await;
    bench.deliver_json(&good).await;
    bench.deliver("{").await;
    let mut get = hook_request("");
    *get.method_mut() = axum::http::Method::GET;
    bench.send(get).await;

    let after = bench.counters();
    let code = |code| after.requests[&code];
    assert_eq!([code(200), code(400), code(405), code(413)], [2, 1, 1, 0]);
    assert_eq!(after.request_duration.count, 4);
    assert_eq!(after.request_duration.counts.iter().sum::<u64>(), 4);
    assert_eq!(after.body_bytes.count, 3);
    let alerts = |status, action, outcome| after.alerts[&(status, action, outcome)];
    let firing = |outcome| alerts(Status::Firing, Action::Gradual, outcome);
    assert_eq!(
        [firing(Outcome::Accepted), firing(Outcome::Renewed)],
        [1, 1]
    );
    assert_eq!(alerts(Status::Resolved, Action::None, Outcome::Ignored), 2);
    assert!(after.last_success.unwrap() >= began);
    let unexpected = after.alerts.len() - before.alerts.len();
    assert_eq!(unexpected, 0, "no series appears out of nothing");
}

#[tokio::test]
async fn a_lease_lasts_as_long_as_configured_and_is_renewed_by_the_same_alert() {
    let bench = Bench::new();
    bench.alerts(&[alert("firing", "gradual")]).await;
    let (_, _, first) = bench.leases()[0];
    assert_eq!(first.expires.since(first.since).as_secs(), 30);
    bench.alerts(&[alert("firing", "gradual")]).await;
    let (_, _, second) = bench.leases()[0];
    assert_eq!(second.since, first.since);
    assert!(second.expires > first.expires);
    assert_eq!(bench.alert_level(GPU_0), Level::Gradual);
}
