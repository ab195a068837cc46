//! What an application is told, in which words, and which GPUs it follows.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_each_mode_once_and_by_its_own_words() {
    let (server, state) = (Server::answering(204), TempDir::new().unwrap());
    let apps = spawn(
        &http(&format!("{}/mode?m={{mode}}", server.url), ECO),
        &state,
    );
    let untold = wish(&apps, AppMode::Normal).await;
    assert_eq!((untold.told, untold.notifications_ok), (None, 0));
    for mode in [
        AppMode::Gradual,
        AppMode::Gradual,
        AppMode::GradualBatch,
        AppMode::Emergency,
        AppMode::Normal,
    ] {
        let status = wish(&apps, mode).await;
        assert_eq!((status.wanted, status.told), (mode, Some(mode)));
    }
    let told = [server.next(), server.next(), server.next()];
    assert_eq!(
        told,
        [
            "POST /mode?m=eco",
            "POST /mode?m=stop",
            "POST /mode?m=normal"
        ]
    );
    assert_eq!(apps.snapshot()[0].notifications_ok, 3);
    assert!(server.requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_in_the_url_the_mode_is_in_the_body() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let rest = format!(", method: PUT {ECO}");
    let apps = spawn(&http(&server.url, &rest), &state);
    wish(&apps, AppMode::Gradual).await;
    assert_eq!(server.next(), r#"PUT / {"mode":"eco"}"#);
}

/// Also by the next guard, whose configuration no longer has the app.
#[tokio::test(flavor = "multi_thread")]
async fn an_app_gets_a_body_of_its_own_for_each_mode() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let bodies = "{ normal: { n: 8 }, gradual: { n: 2 }, emergency: { n: 1, now: true } }";
    let rest = format!(", method: PATCH, bodies: {bodies}");
    let apps = spawn(&http(&server.url, &rest), &state);
    wish(&apps, AppMode::Gradual).await;
    assert_eq!(server.next(), r#"PATCH / {"n":2}"#);
    wish(&apps, AppMode::Emergency).await;
    assert_eq!(server.next(), r#"PATCH / {"n":1,"now":true}"#);
    journal_becomes(&state, |now| now.contains("PATCH")).await;
    drop(apps);
    let _apps = spawn("{}", &state);
    assert_eq!(server.next(), r#"PATCH / {"n":8}"#);
    journal_is_empty(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_follows_the_hottest_of_its_gpus_only() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let yaml = http(&format!("{}/{{mode}}", server.url), ECO)
        .replace("name: web,", "name: web, gpus: [0, 1],");
    let apps = spawn(&yaml, &state);
    apps.wish(&gpu(2), AppMode::Emergency);
    apps.wish(&gpu(0), AppMode::Gradual);
    apps.wish(&gpu(1), AppMode::Normal);
    assert!(apps.settle(LONG).await);
    assert_eq!(server.next(), "POST /eco");
    apps.wish(&gpu(1), AppMode::Emergency);
    assert_eq!(server.next(), "POST /stop");
    apps.forget(&gpu(1).uuid);
    assert_eq!(server.next(), "POST /eco");
    apps.release_all();
    assert_eq!(server.next(), "POST /normal");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_only_takes_get_is_told_in_the_url() {
    let (server, state) = (Server::answering(204), TempDir::new().unwrap());
    let yaml = http(&format!("{}/{{mode}}", server.url), ", method: GET");
    let apps = spawn(&yaml, &state);
    wish(&apps, AppMode::Gradual).await;
    assert_eq!(server.next(), "GET /gradual");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_wants_a_token_gets_the_one_in_the_file_and_never_none() {
    let (server, state) = (Server::answering(204), TempDir::new().unwrap());
    let file = state.path().join("app-token");
    let rest = format!(", bearer_token_file: {}", file.display());
    let apps = spawn(&http(&format!("{}/{{mode}}", server.url), &rest), &state);
    apps.wish(&gpu(0), AppMode::Gradual);
    let status = eventually(&apps, |app| app.last_error.is_some()).await;
    assert!(status.last_error.unwrap().contains("app-token"));
    fs::write(&file, "two\nlines\n").unwrap();
    let refused = |app: &AppStatus| {
        app.last_error
            .as_ref()
            .is_some_and(|e| e.contains("one line"))
    };
    eventually(&apps, refused).await;
    fs::write(&file, "first-token\n").unwrap();
    assert!(apps.settle(LONG).await);
    // Nothing was sent before there was a token.
    assert_eq!(server.next(), "POST /gradual [bearer first-token]");
    fs::write(&file, "next-token\n").unwrap();
    wish(&apps, AppMode::Normal).await;
    assert_eq!(server.next(), "POST /normal [bearer next-token]");
}
