//! The commands that talk to a running guard, over a server that answers as told.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::guard::Guard;
use crate::common::process::{run, stderr, stdout};
use crate::common::wait::{PATIENCE, wait_for};

/// Answers one request with `status` and `body`. The receiver gets the request.
pub(super) fn answering(status: &'static str, body: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--url=http://{}", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                let mut more = [0; 4096];
                let count = connection.read(&mut more).unwrap();
                assert!(count > 0, "half a request");
                request.extend_from_slice(&more[..count]);
            }
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
            let answer = format!("{head}Connection: close\r\nLocation: /elsewhere\r\n\r\n{body}");
            connection.write_all(answer.as_bytes()).unwrap();
            let _ = asked.send(String::from_utf8(request).unwrap());
        }
    });
    (url, requests)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn token_file(directory: &TempDir) -> String {
    let path = directory.path().join("token");
    fs::write(&path, "secret\n").unwrap();
    format!("--token-file={}", path.display())
}

#[test]
fn an_actuating_command_sends_what_it_was_told_with_the_token() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    let body = r#"{"gpus":[{"gpu":0,"uuid":"GPU-1","ended":true}]}"#;
    let table: [(&[&str], &str, &str); 6] = [
        (
            &["throttle", "--gpu=0", "--level=gradual", "--for=10m"],
            "POST /api/v1/leases",
            "held at gradual for 10m",
        ),
        (&["release", "--gpu=0"], "DELETE /api/v1/leases/0", "ended"),
        (
            &["pause", "--gpu=GPU-1", "--for=30m"],
            "POST /api/v1/pauses",
            "paused for 30m",
        ),
        (&["resume", "--gpu=0"], "DELETE /api/v1/pauses/0", "ended"),
        (&["detach"], "POST /-/detach", "detached"),
        (&["attach"], "POST /-/attach", "attached"),
    ];
    for (args, request, said) in table {
        let (url, requests) = answering("200 OK", body);
        let output = run(&[args, &[&url, &token]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(said), "{}", stdout(&output));
        assert_eq!(stdout(&output).lines().count(), 1);
        let asked = requests.recv_timeout(PATIENCE).unwrap();
        assert!(asked.starts_with(&format!("{request} ")), "{asked}");
        let asked = asked.to_ascii_lowercase();
        assert!(
            asked.contains("authorization: bearer secret\r\n"),
            "{asked}"
        );
    }
}

#[test]
fn what_stands_in_the_way_of_a_lease_is_passed_on() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    let body = r#"{"gpus":[{"gpu":3,"uuid":"GPU-1","notes":["it is paused\u001b[2J"]}]}"#;
    let (url, _requests) = answering("200 OK", body);
    let args = ["throttle", "--gpu=3", "--level=gradual", "--for=10m"];
    let output = run(&[&args[..], &[&url, &token]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = "GPU 3: held at gradual for 10m\nbut GPU 3: it is paused[2J\n";
    assert_eq!(stdout(&output), text);
}

/// By default the GPU comes back half a minute after a throttle's end.
#[test]
fn a_throttle_says_when_the_gpu_is_given_back() {
    let mut guard = Guard::on(&["a100-80gb"]);
    guard.configure("policy: { recovery_delay: 45s }\n");
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let args = ["--gpu=0", "--level=gradual", "--for=20s", &url];
    wait_for("the GPU is known", || {
        let text = stdout(&guard.run("throttle", &args));
        let told =
            "GPU 0: held at gradual for 20s, then given back after 45s (policy.recovery_delay)\n";
        text.starts_with(told)
    });
}

#[test]
fn a_refusal_is_explained() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    let table = [
        (
            "401 Unauthorized",
            r#"{"error":"wrong token"}"#,
            "token\" (401)",
        ),
        ("404 Not Found", r#"{"error":"no such GPU"}"#, "no such GPU"),
        (
            "400 Bad Request",
            r#"{"error":"no\u001b[2J such\u0007"}"#,
            "no[2J such",
        ),
        ("302 Found", "", "302"),
        ("200 OK", "<html>", "not as a thermal-guard"),
    ];
    for (status, body, said) in table {
        let (url, _requests) = answering(status, body);
        let output = run(&["release", "--gpu=9", &url, &token]);
        assert_eq!(output.status.code(), Some(1), "{status}");
        let said = said.replace('"', "");
        let told = stderr(&output);
        assert!(told.contains(&said) && !told.contains('\u{1b}'), "{told}");
    }
}

/// Where no guard runs, any user of the machine can answer at its address.
#[test]
fn whoever_answers_instead_of_the_guard_gets_no_token() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    for status in [
        "401 Unauthorized",
        "403 Forbidden",
        "407 Proxy Authentication Required",
    ] {
        for command in [&["status"][..], &["wait", "--timeout=1s"], &["check"]] {
            let (url, requests) = answering(status, "{}");
            let nowhere = "--nvml.library=/nonexistent";
            let output = run(&[command, &[&url, &token, nowhere]].concat());
            let (out, err) = (stdout(&output), stderr(&output));
            assert_ne!(output.status.code(), Some(0), "{command:?}: {out}{err}");
            let asked: Vec<_> = requests.try_iter().collect();
            assert!(command != ["status"] || asked.len() == 1, "{asked:?}");
            let told = asked.concat().to_ascii_lowercase();
            assert!(!told.contains("authorization"), "{command:?}: {told}");
            assert!(
                command != ["status"] || err.contains("password") || status.starts_with("407"),
                "{err}"
            );
        }
    }
}

#[test]
fn nobody_there_is_said_with_the_remedy() {
    // No test listens on this address of the machine's own.
    let url = "--url=http://127.0.0.77:9";
    let output = run(&["status", url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("thermal-guard serve"),
        "{}",
        stderr(&output)
    );
    let output = run(&["detach", url, "--token-file=/nonexistent/token"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("/nonexistent/token"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_status_needs_no_token() {
    let body = r#"{"version":"0.1.0","mode":"observe","chain":{"state":"ok"},
        "gpus":[{"index":3,"name":"NVIDIA L40S","state":"normal","why":"9.0 °C under alert"}]}"#;
    let (url, requests) = answering("200 OK", body);
    let output = run(&["status", &url, "--token-file=/nonexistent/token"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("mode observe") && text.contains("chain ok"),
        "{text}"
    );
    assert!(
        text.contains("NVIDIA L40S") && text.contains("9.0 °C under alert"),
        "{text}"
    );
    let asked = requests
        .recv_timeout(PATIENCE)
        .unwrap()
        .to_ascii_lowercase();
    assert!(!asked.contains("authorization"), "{asked}");

    let output = run(&["status", "--json", &url]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["gpus"][0]["index"], json!(3));
}
