//! Applications with an environment file.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn batches_shrink_late_and_the_file_is_as_before_in_the_end() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = dir.path().join("app.env");
    let original = "# ours\r\nexport BATCH='4' # four\r\nX=1";
    fs::write(&path, original).unwrap();
    let apps = spawn(&env(&path), &state);
    let file = || fs::read_to_string(&path).unwrap();
    for mode in [AppMode::Normal, AppMode::Gradual] {
        wish(&apps, mode).await;
        assert_eq!(file(), original);
    }
    for (mode, value) in [
        (AppMode::GradualBatch, "'2'"),
        (AppMode::Emergency, "'1'"),
        (AppMode::Normal, "'4'"),
    ] {
        wish(&apps, mode).await;
        assert_eq!(file(), original.replace("'4'", value));
    }
    journal_is_empty(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_reported_and_found_when_it_comes() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = dir.path().join("app.env");
    let apps = spawn(&env(&path), &state);
    apps.wish(&gpu(0), AppMode::Emergency);
    let status = eventually(&apps, |app| app.last_error.is_some()).await;
    assert!(status.last_error.unwrap().contains("doesn't exist"));
    assert!(!path.exists());
    fs::write(&path, "BATCH=4\n").unwrap();
    assert!(apps.settle(LONG).await);
    assert_eq!(fs::read_to_string(&path).unwrap(), "BATCH=1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_counts_and_touches_nothing() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = dir.path().join("app.env");
    fs::write(&path, "BATCH=4\n").unwrap();
    let config = Config::from_yaml(&env(&path)).unwrap();
    let apps = Apps::spawn(config.apps, Some(state.path()), true, &Handle::current());
    let status = wish(&apps, AppMode::Emergency).await;
    assert_eq!(status.notifications_ok, 1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "BATCH=4\n");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
}
