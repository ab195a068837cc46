//! The journal: written before an application is told, and what it gives back.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_guard_left_is_given_back_and_nothing_else_is_touched() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let yaml = http(&format!("{}/{{mode}}", server.url), ECO);
    let killed = spawn(&yaml, &state);
    wish(&killed, AppMode::Emergency).await;
    assert_eq!(server.next(), "POST /stop");
    drop(killed);
    let url = format!("{}/{{mode}}", server.url);
    let http =
        format!(r#"{{"url":"{url}","method":"POST","normal":"normal","bearer_token_file":null}}"#);
    let entry = format!(r#"{{"throttled":[{{"app":"web","http":{http}}}]}}"#);
    journal_becomes(&state, |now| now == entry).await;

    let other = Server::answering(200);
    let both = yaml.replace(
        "apps: [",
        &format!(
            "apps: [{{ name: other, http: {{ url: \"{}\" }} }}, ",
            other.url
        ),
    );
    let next = spawn(&both, &state);
    wish(&next, AppMode::Normal).await;
    assert_eq!(server.next(), "POST /normal");
    journal_is_empty(&state).await;
    assert!(other.requests.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_cannot_be_read_means_everybody_may_be_throttled() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    fs::write(state.path().join("apps.json"), "{").unwrap();
    let apps = spawn(&http(&format!("{}/{{mode}}", server.url), ECO), &state);
    wish(&apps, AppMode::Normal).await;
    assert_eq!(server.next(), "POST /normal");
    journal_is_empty(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_written_before_the_app_is_told() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = dir.path().join("app.env");
    fs::write(&file, "export BATCH='8'\n").unwrap();
    // The file can be read, and not be replaced.
    fs::create_dir(dir.path().join(".app.env.thermal-guard")).unwrap();
    let apps = spawn(&env(&file), &state);
    apps.wish(&gpu(0), AppMode::Emergency);
    eventually(&apps, |app| app.notifications_failed > 0).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "export BATCH='8'\n");
    let took = r#""normal":"4","ours":["1"],"originals":["'8'"]"#;
    journal_becomes(&state, |now| now.contains(took)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_told_even_if_the_journal_cannot_be_written() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = dir.path().join("app.env");
    fs::write(&path, "BATCH=4\n").unwrap();
    let config = Config::from_yaml(&env(&path)).unwrap();
    let nowhere = state.path().join("gone");
    let apps = Apps::spawn(config.apps, Some(&nowhere), false, &Handle::current());
    wish(&apps, AppMode::Emergency).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), "BATCH=1\n");
}

/// Told without its journal, an app would stay slow for ever if the guard died.
#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_the_disk_refused_is_written_once_it_can_be() {
    let state = TempDir::new().unwrap();
    let file = state.path().join("batch.env");
    fs::write(&file, "BATCH=4\n").unwrap();
    let apps = spawn(&env(&file), &state);
    let obstacle = state.path().join(".apps.json.thermal-guard");
    fs::create_dir(&obstacle).unwrap();
    wish(&apps, AppMode::GradualBatch).await;
    assert_eq!(fs::read_to_string(&file).unwrap(), "BATCH=2\n");
    assert_eq!(journal(&state), "");
    fs::remove_dir(&obstacle).unwrap();
    journal_becomes(&state, |now| now.contains(r#""app":"batch""#)).await;
    assert!(Apps::may_be_left(state.path()));
}
