//! Applications that refuse, are silent, or are not well.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_well_again_once_its_health_url_answers_after_it_was_told() {
    let (server, state) = (Server::answering(204), TempDir::new().unwrap());
    let (sick, url) = (Server::answering(503), &server.url);
    let health = format!("{ECO}, health_url: \"{}/health\"", sick.url);
    let apps = spawn(&http(&format!("{url}/mode?m={{mode}}"), &health), &state);
    assert!(apps.are_well(&gpu(0)), "nothing was said yet");
    apps.wish(&gpu(0), AppMode::Gradual);
    assert!(!apps.are_well(&gpu(0)), "it may not even know yet");
    let status = eventually(&apps, |status| status.last_error.is_some()).await;
    assert_eq!(status.well, Some(false));
    assert_eq!(
        status.last_error.as_deref(),
        Some("health_url: answered 503")
    );
    assert_eq!(
        (status.notifications_ok, status.notifications_failed),
        (1, 0)
    );
    assert!(!apps.are_well(&gpu(0)));
    sick.status.store(200, Ordering::SeqCst);
    eventually(&apps, |status| status.well == Some(true)).await;
    assert!(apps.are_well(&gpu(0)));
    apps.wish(&gpu(0), AppMode::Normal);
    assert!(
        !apps.are_well(&gpu(0)),
        "what it answered before doesn't count"
    );
    eventually(&apps, |status| status.well == Some(true)).await;
    assert_eq!(sick.next(), "GET /health");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_without_a_health_url_holds_up_no_recovery() {
    let state = TempDir::new().unwrap();
    let apps = spawn(&http("http://127.0.0.1:1/{mode}", ECO), &state);
    apps.wish(&gpu(0), AppMode::Gradual);
    let status = eventually(&apps, |status| status.notifications_failed > 0).await;
    assert!(apps.are_well(&gpu(0)));
    assert_eq!(status.well, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_refusal() {
    let (server, state) = (Server::answering(307), TempDir::new().unwrap());
    let apps = spawn(&http(&server.url, ECO), &state);
    apps.wish(&gpu(0), AppMode::Gradual);
    let status = eventually(&apps, |app| app.notifications_failed > 1).await;
    assert_eq!(status.last_error.as_deref(), Some("answered 307"));
    assert!(
        server.next().starts_with("POST / "),
        "and once more, not /elsewhere"
    );
    assert!(server.next().starts_with("POST / "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_app_is_tried_again_until_it_knows_the_latest() {
    let (server, state) = (Server::answering(500), TempDir::new().unwrap());
    let apps = spawn(&http(&format!("{}/{{mode}}", server.url), ECO), &state);
    apps.wish(&gpu(0), AppMode::Gradual);
    let status = eventually(&apps, |app| app.notifications_failed > 1).await;
    assert_eq!(status.told, None, "500 is not a yes");
    server.status.store(200, Ordering::SeqCst);
    apps.wish(&gpu(0), AppMode::Emergency);
    let status = eventually(&apps, |app| app.told == Some(AppMode::Emergency)).await;
    assert_eq!(status.last_error, None);
    assert_eq!(server.next(), "POST /eco");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_may_have_heard_is_told_normal() {
    let (server, state) = (Server::answering(500), TempDir::new().unwrap());
    let apps = spawn(&http(&format!("{}/{{mode}}", server.url), ECO), &state);
    apps.wish(&gpu(0), AppMode::Gradual);
    eventually(&apps, |app| app.notifications_failed > 0).await;
    server.status.store(200, Ordering::SeqCst);
    wish(&apps, AppMode::Normal).await;
    let mut last = server.next();
    while let Ok(next) = server.requests.try_recv() {
        last = next;
    }
    assert_eq!(last, "POST /normal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_app_delays_nobody_else() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let yaml = format!(
        "apps: [{{ name: silent, http: {{ url: \"http://{}\" }} }}, {{ name: web, http: {{ url: \"{}\" }} }}]",
        silent.local_addr().unwrap(),
        server.url
    );
    let apps = spawn(&yaml, &state);
    apps.wish(&gpu(0), AppMode::Emergency);
    assert_eq!(server.next(), r#"POST / {"mode":"emergency"}"#);
    assert!(!apps.settle(Duration::from_millis(50)).await);
    let status = eventually(&apps, |app| app.notifications_failed > 0).await;
    assert_eq!((status.name.as_str(), status.told), ("silent", None));
}
