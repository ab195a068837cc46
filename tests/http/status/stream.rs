//! The event streams: their pace, their end, and how many there may be.

use thermal_guard::web::status::STREAMS;

use super::*;

#[tokio::test(start_paused = true)]
async fn the_stream_starts_at_once_then_follows_the_ticks() {
    let service = service("a");
    let response = service.get("/api/v1/events").await;
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    let mut stream = response.into_body().into_data_stream();
    let began = tokio::time::Instant::now();

    let first = stream.next().await.unwrap().unwrap();
    let json = std::str::from_utf8(&first).unwrap();
    let json = json.strip_prefix("data: ").unwrap().trim_end();
    let status: Status = serde_json::from_str(json).unwrap();
    assert_eq!(status.gpus[0].name, "a");
    assert_eq!(began.elapsed(), Duration::ZERO);

    service.tick("a");
    stream.next().await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 1, "a new tick, a second later");
    stream.next().await.unwrap().unwrap();
    assert_eq!(began.elapsed().as_secs(), 6, "no news, but the ages grow");
}

#[tokio::test(start_paused = true)]
async fn the_streams_end_with_the_service() {
    let service = service("a");
    let mut stream = service
        .get("/api/v1/events")
        .await
        .into_body()
        .into_data_stream();
    stream.next().await.unwrap().unwrap();
    service.closing.send(true).unwrap();
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn one_stream_too_many_is_turned_away_until_another_leaves() {
    let service = service("a");
    let mut open = Vec::new();
    for _ in 0..STREAMS {
        let response = service.get("/api/v1/events").await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    let refused = service.get("/api/v1/events").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    open.pop();
    let admitted = service.get("/api/v1/events").await;
    assert_eq!(admitted.status(), StatusCode::OK);
}

/// One client takes every stream there is; the page and the API are still to be had elsewhere.
#[tokio::test]
async fn one_address_keeps_no_other_from_watching() {
    let service = service("a");
    let mut greedy = Vec::new();
    for _ in 0..STREAMS {
        let response = service.watch("/live", "10.0.0.1").await;
        greedy.push(response.into_body().into_data_stream());
    }
    assert_eq!(
        service.watch("/live", "10.0.0.1").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    let mut others = Vec::new();
    for n in 2..10 {
        for path in ["/live", "/api/v1/events"] {
            let response = service.watch(path, &format!("10.0.0.{n}")).await;
            assert_eq!(response.status(), StatusCode::OK, "{path} {n}");
            others.push(response);
        }
    }
    let oldest = &mut greedy[0];
    oldest.next().await.unwrap().unwrap();
    assert!(
        oldest.next().await.is_none(),
        "it ends, others have its seat"
    );
    greedy[STREAMS - 1].next().await.unwrap().unwrap();
}
