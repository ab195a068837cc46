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
mod env_file;
mod failing;
mod journal;
mod reload;
mod told;

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
