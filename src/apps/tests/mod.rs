//! Applications with real files and a real HTTP server. Nothing here sleeps and hopes: what must
//! come is waited for, what must not come is shown by what comes after it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::*;
use crate::config::Config;
use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

mod again;
mod reload;

const LONG: Duration = Duration::from_secs(20);

/// An app's HTTP interface: answers with a status that can be changed, hands out what it was told.
struct Server {
    url: String,
    status: Arc<AtomicU16>,
    requests: mpsc::Receiver<String>,
}

impl Server {
    fn answering(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let status = Arc::new(AtomicU16::new(status));
        let (told, requests) = mpsc::channel();
        let answer = Arc::clone(&status);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let request = serve(stream.unwrap(), answer.load(Ordering::SeqCst));
                if told.send(request).is_err() {
                    return;
                }
            }
        });
        Self {
            url,
            status,
            requests,
        }
    }

    /// The next request: its first line and its body.
    fn next(&self) -> String {
        self.requests.recv_timeout(LONG).unwrap()
    }
}

fn serve(mut stream: TcpStream, status: u16) -> String {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    reader.read_line(&mut head).unwrap();
    let (mut length, mut credential) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if let Some(value) = line.strip_prefix("authorization:") {
            credential = format!(" [{}]", value.trim());
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer =
        format!("HTTP/1.1 {status} x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(answer.as_bytes()).unwrap();
    let head = head.trim_end().trim_end_matches(" HTTP/1.1");
    let body = String::from_utf8(body).unwrap();
    format!("{head} {body}").trim_end().to_owned() + &credential
}

fn gpu(index: u32) -> Arc<Identity> {
    Arc::new(Identity {
        uuid: Uuid::new(&format!("GPU-{index}")),
        index,
        name: String::new(),
        pci_bus_id: format!("00000000:0{index}:00.0"),
        serial: None,
        vbios_version: None,
        driver_version: None,
        architecture: None,
        brand: None,
        instance_uuids: Vec::new(),
    })
}

/// Apps of a configuration, with a state directory.
fn spawn(yaml: &str, state: &TempDir) -> Apps {
    let config = Config::from_yaml(yaml).unwrap();
    Apps::spawn(config.apps, Some(state.path()), false, &Handle::current())
}

fn http(url: &str, rest: &str) -> String {
    format!("apps: [{{ name: web, http: {{ url: \"{url}\" {rest} }} }}]")
}

const ECO: &str = ", modes: { gradual: eco, emergency: stop }";

fn env(path: &Path) -> String {
    let file = format!(
        "path: {}, key: BATCH, normal: 4, gradual: 2, emergency: 1",
        path.display()
    );
    format!("apps: [{{ name: batch, env_file: {{ {file} }} }}]")
}

fn journal(state: &TempDir) -> String {
    fs::read_to_string(state.path().join("apps.json")).unwrap_or_default()
}

/// Waits until the journal says so: an app is told without its journal if the disk is slow, and the
/// journal follows.
async fn journal_becomes(state: &TempDir, says: impl Fn(&str) -> bool) {
    let poll = async {
        while !says(&journal(state)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let became = timeout(LONG, poll).await;
    assert!(became.is_ok(), "the journal says {:?}", journal(state));
}

async fn journal_is_empty(state: &TempDir) {
    journal_becomes(state, |now| now == r#"{"throttled":[]}"#).await;
}

async fn eventually(apps: &Apps, what: impl Fn(&AppStatus) -> bool) -> AppStatus {
    let poll = async {
        loop {
            let status = apps.snapshot().remove(0);
            if what(&status) {
                return status;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, poll).await.unwrap()
}

async fn wish(apps: &Apps, mode: AppMode) -> AppStatus {
    apps.wish(&gpu(0), mode);
    assert!(apps.settle(LONG).await);
    apps.snapshot().remove(0)
}

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
