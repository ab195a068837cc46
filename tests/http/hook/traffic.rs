//! The hook when it isn't ready, with slow and many senders, and its counters.

use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::Frame;
use thermal_guard::alerts::{Action, Outcome, Status};
use thermal_guard::clock::Clock;
use thermal_guard::policy::Level;

use crate::hook::bench::{Bench, GPU_0, alert, delivery, hook_request};

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
    crate::hook::bench::know_gpus(&bench.shared, false);
    assert_eq!(bench.alerts(&[alert("firing", "gradual")]).await.code, 503);
    assert!(bench.is_untouched());
    crate::hook::bench::know_gpus(&bench.shared, true);
    assert_eq!(bench.alerts(&[alert("firing", "gradual")]).await.code, 200);
}

#[tokio::test]
async fn a_guard_that_shuts_down_takes_no_delivery() {
    let bench = Bench::new();
    bench.shared.stop();
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
    // The token file is checked on another thread, so one yield isn't enough.
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
async fn a_client_without_a_credential_takes_no_place() {
    let bench = Bench::new();
    let mut request = hook_request(Body::new(Endless::default()));
    request.headers_mut().remove("authorization");
    assert_eq!(bench.send(request).await.code, 401, "before the body");
}

#[tokio::test]
async fn every_answer_and_every_alert_is_counted() {
    let bench = Bench::new();
    let before = bench.counters();
    let requests = before.family("hook_requests_total", "");
    assert!(requests.len() >= 8 && requests.iter().all(|&n| n == 0));
    let alerts = before.family("hook_alerts_total", "");
    assert!(alerts.iter().all(|&n| n == 0));
    let last_success = "hook_last_success_timestamp_seconds";
    assert_eq!(before.get::<f64>(last_success), None);
    let began = Clock::unix();

    let good = delivery(&[alert("firing", "gradual"), alert("resolved", "none")]);
    bench.deliver_json(&good).await;
    bench.deliver_json(&good).await;
    bench.deliver("{").await;
    let mut get = hook_request("");
    *get.method_mut() = http::Method::GET;
    bench.send(get).await;

    let after = bench.counters();
    let code = |code| after.get(&format!("hook_requests_total{{code=\"{code}\"}}"));
    let codes = [200, 400, 405, 413].map(code);
    assert_eq!(codes, [2, 1, 1, 0].map(Some));
    for (series, expected) in [
        ("hook_request_duration_seconds_count", 4.0),
        ("hook_request_duration_seconds_bucket{le=\"+Inf\"}", 4.0),
        ("hook_body_bytes_count", 3.0),
        (
            "hook_body_bytes_sum",
            (2 * good.to_string().len() + 1) as f64,
        ),
    ] {
        assert_eq!(after.get(series), Some(expected), "{series}");
    }
    let firing = |outcome| after.hook(Status::Firing, Action::Gradual, outcome);
    let firing = [Outcome::Accepted, Outcome::Renewed].map(firing);
    assert_eq!(firing, [Some(1); 2]);
    let resolved = after.hook(Status::Resolved, Action::None, Outcome::Ignored);
    assert_eq!(resolved, Some(2));
    assert!(after.get::<f64>(last_success).unwrap() >= began.as_secs_f64());
    let unexpected = after.family("hook_alerts_total", "").len() - alerts.len();
    assert_eq!(unexpected, 0, "no series appears out of nothing");
}

#[tokio::test]
async fn a_scrape_after_an_answer_knows_that_something_has_changed() {
    let bench = Bench::new();
    let generation = &bench.shared.generation;
    for body in [
        "{".to_owned(),
        delivery(&[alert("firing", "heartbeat")]).to_string(),
    ] {
        let before = generation.current();
        bench.deliver(body.clone()).await;
        assert!(generation.current() > before, "{body}");
    }
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
