//! Servers that refuse, hang, break off or answer in part, and those that aren't Prometheus: a clear
//! message, and an honest report of what was seen.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::common::process::{run, stderr, stdout};

/// A server that answers each request line by a function. It stays until the test program ends.
fn server(answer: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(&stream, answer.as_ref()));
        }
    });
    url
}

fn serve(mut stream: &TcpStream, answer: &dyn Fn(&str, &str) -> Option<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(request)) = lines.next() {
        let headers: Vec<_> = lines
            .by_ref()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
            .collect();
        match answer(&request, &headers.join("\n")) {
            // As a server does that is stopped, or a proxy that has had enough.
            Some(text) if text.is_empty() => return,
            Some(text) => _ = stream.write_all(text.as_bytes()),
            None => thread::sleep(Duration::from_secs(60)),
        }
        if stream.flush().is_err() {
            return;
        }
    }
}

fn http(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const SERIES: &str = r#"{"status":"success","data":[{"__name__":"DCGM_FI_DEV_GPU_TEMP","UUID":"GPU-1","gpu":"0","Hostname":"<b>n1"}]}"#;
const NOTHING: &str = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;

/// An hour of a card, at a minute's pace, up to `end`.
fn matrix(end: f64, warnings: &str) -> String {
    let series = |name: &str, value: fn(u32) -> u32| {
        let start = end - 3600.0;
        let samples: Vec<_> = (0..60_u32)
            .map(|n| format!("[{},\"{}\"]", start + f64::from(n) * 60.0, value(n)))
            .collect();
        format!(
            "{{\"metric\":{{\"__name__\":\"{name}\",\"UUID\":\"GPU-1\",\"gpu\":\"0\"}},\"values\":[{}]}}",
            samples.join(",")
        )
    };
    let core = series("DCGM_FI_DEV_GPU_TEMP", |n| 50 + n % 7);
    let draw = series("DCGM_FI_DEV_POWER_USAGE", |n| 200 + n % 7 * 20);
    format!(
        "{{\"status\":\"success\"{warnings},\"data\":{{\"resultType\":\"matrix\",\"result\":[{core},{draw}]}}}}"
    )
}

const UNTIL: &str = "2026-11-01T01:00:00Z";
const END: f64 = 1_793_494_800.0;

fn backtest(url: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let usual = [
        "backtest",
        "--prometheus",
        url,
        "--last=1h",
        "--until",
        UNTIL,
        "--rate=0",
    ];
    let output = run(&[&usual[..], more].concat());
    (output.status.code(), stdout(&output), stderr(&output))
}

#[test]
fn what_is_wrong_with_a_server_is_said_with_a_remedy() {
    let refusing =
        |status: &'static str, body: &'static str| server(move |_, _| Some(http(status, body)));
    let bad_match =
        r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
    // No test listens on this address of the machine's own.
    let nobody = "http://127.0.0.77:9".to_owned();
    for (url, more, words) in [
        (nobody, vec![], "is it running there"),
        (
            refusing("401 Unauthorized", "no"),
            vec![],
            "--bearer-token-file",
        ),
        (refusing("404 Not Found", "<html>"), vec![], "base URL"),
        (refusing("200 OK", "<html>hello"), vec![], "can't be read"),
        (
            refusing("400 Bad Request", bad_match),
            vec!["--match=a=\"b"],
            "parse error",
        ),
        (
            refusing("503 Service Unavailable", ""),
            vec![],
            "busy (503)",
        ),
        (
            server(|_, _| None),
            vec!["--timeout=300ms"],
            "no answer within 300ms",
        ),
        (
            server(|_, _| Some(http("200 OK", r#"{"status":"success","data":[]}"#))),
            vec![],
            "DCGM_FI_DEV_GPU_TEMP",
        ),
    ] {
        let (code, out, err) = backtest(&url, &more);
        assert_eq!(code, Some(1), "{out}{err}");
        assert!(err.contains(words), "{words}: {err}");
        assert!(out.is_empty(), "{out}");
        assert_eq!(err.matches(&url).count(), 1, "{err}");
    }
}

/// The address of the example, typed as it is: that is said, and the cause once.
#[test]
fn a_name_that_nobody_knows_is_said_and_a_place_needs_no_scheme() {
    let (code, _, err) = backtest("http://no-such-host.invalid:9090", &[]);
    assert_eq!(code, Some(1), "{err}");
    let said = "http://no-such-host.invalid:9090: the name \"no-such-host.invalid\" isn't known here; --prometheus wants the address of your Prometheus\n";
    assert_eq!(err, format!("thermal-guard: {said}"));
    for place in ["no-such-host.invalid:9090", "no-such-host.invalid"] {
        let (_, _, err) = backtest(place, &[]);
        assert_eq!(err, format!("thermal-guard: {said}"), "{place}");
    }
}

#[test]
fn a_server_that_is_busy_at_first_is_asked_again_and_its_warnings_are_shown() {
    let asked = AtomicUsize::new(0);
    let url = server(move |request, _| {
        let body = if request.contains("/series") {
            SERIES.to_owned()
        } else if request.contains("count_over_time") || request.contains("last_over_time") {
            NOTHING.to_owned()
        } else if asked.fetch_add(1, Ordering::Relaxed) == 0 {
            return Some(http("503 Service Unavailable", ""));
        } else {
            matrix(END, ",\"warnings\":[\"store <x> didn't answer\"]")
        };
        Some(http("200 OK", &body))
    });
    let dir = tempfile::tempdir().unwrap();
    let html = dir.path().join("report.html");
    let (code, out, err) = backtest(&url, &["--html", html.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("store <x> didn't answer"), "{out}");
    assert!(out.contains("You don't need this"), "{out}");
    let page = std::fs::read_to_string(&html).unwrap();
    assert!(page.contains("store &lt;x&gt; didn&#39;t answer"), "{page}");
    assert!(page.contains("&lt;b&gt;n1") && !page.contains("<b>n1"));
    let foreign = ["<script", "src=", "href=", "@import", "url("];
    assert!(foreign.iter().all(|word| !page.contains(word)), "{page}");
    // An earlier report may be replaced, another file may not.
    let (code, _, err) = backtest(&url, &["--html", html.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{err}");
    std::fs::write(&html, "a letter").unwrap();
    let (code, _, err) = backtest(&url, &["--html", html.to_str().unwrap()]);
    assert!(
        code == Some(1) && err.contains("name another file"),
        "{err}"
    );
    assert_eq!(std::fs::read_to_string(&html).unwrap(), "a letter");
}

#[test]
fn no_more_requests_a_second_than_allowed_are_sent() {
    let url = server(|request, _| {
        let body = if request.contains("/series") {
            SERIES
        } else {
            NOTHING
        };
        Some(http("200 OK", body))
    });
    let begun = Instant::now();
    let usual = [
        "backtest",
        "--prometheus",
        &url,
        "--last=1h",
        "--json",
        "--rate=5",
    ];
    let output = run(&usual);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let requests = report["seen"]["requests"].as_f64().unwrap();
    assert!(requests >= 5.0, "{requests}");
    let least = Duration::from_secs_f64((requests - 1.0) / 5.0);
    assert!(
        begun.elapsed() >= least,
        "{requests} in {:?}",
        begun.elapsed()
    );
    assert_eq!(report["gpus"][0]["verdict"], "cant_tell");
}

/// A server that takes ten minutes at a time, and answers for the stretch up to this by `odd`.
fn in_pieces(odd: fn() -> String) -> String {
    server(move |request, _| {
        let body = if request.contains("/series") {
            SERIES.to_owned()
        } else if request.contains("count_over_time") || request.contains("last_over_time") {
            NOTHING.to_owned()
        } else if request.contains("time=1793492400") {
            return Some(odd());
        } else if request.contains("[600000ms") || request.contains("%5B600000ms") {
            matrix(END, "")
        } else {
            return Some(http(
                "422 Unprocessable Entity",
                r#"{"status":"error","error":"too many samples"}"#,
            ));
        };
        Some(http("200 OK", &body))
    })
}

fn report(url: &str) -> Value {
    let (code, out, err) = backtest(url, &["--json", "--timeout=2s"]);
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn a_part_that_never_comes_is_told_as_a_gap() {
    let broken_off = || http("200 OK", &matrix(END, "")).split_at(400).0.to_owned();
    for odd in [broken_off, String::new] {
        let report = report(&in_pieces(odd));
        let gaps = report["seen"]["gaps"].as_array().unwrap();
        assert_eq!(gaps.len(), 1, "{gaps:?}");
        assert_eq!(
            gaps[0]["end_seconds"].as_f64().unwrap() - gaps[0]["start_seconds"].as_f64().unwrap(),
            600.0
        );
    }
}

#[test]
fn a_sample_of_another_time_than_was_asked_for_changes_nothing() {
    let whole = report(&in_pieces(|| http("200 OK", &matrix(END, ""))));
    let odd = report(&in_pieces(|| {
        let from_far_ahead = matrix(END, "").replace("]]}", "],[1e12,\"40\"]]}");
        http("200 OK", &from_far_ahead)
    }));
    assert_eq!(whole["gpus"], odd["gpus"]);
    assert_eq!(odd["seen"]["gaps"].as_array().unwrap().len(), 0);
}

#[test]
fn a_rate_that_is_next_to_none_is_refused() {
    let output = run(&["backtest", "--prometheus=http://h", "--rate=1e-20"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("0.001"), "{}", stderr(&output));
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let secret = secret.display().to_string();
    let url = server(|_, headers| {
        let headers = headers.to_ascii_lowercase();
        let basic = format!("basic {}", STANDARD.encode("operator:s3cret"));
        let right = ["bearer s3cret".to_owned(), basic.to_ascii_lowercase()];
        let is_right = right.iter().any(|it| headers.contains(it));
        Some(if is_right {
            http("200 OK", r#"{"status":"success","data":[]}"#)
        } else {
            http("401 Unauthorized", "")
        })
    });
    for login in [
        vec!["--bearer-token-file", &secret],
        vec!["--username", "operator", "--password-file", &secret],
    ] {
        let (_, out, err) = backtest(&url, &login);
        assert!(err.contains("has no temperature"), "{err}");
        assert!(!(out + &err).contains("s3cret"));
    }
    let (_, _, err) = backtest("http://user:s3cret@127.0.0.1:1", &[]);
    assert!(
        err.contains("--password-file") && !err.contains("s3cret"),
        "{err}"
    );
}

#[test]
fn files_are_judged_as_a_server_is_and_a_bad_one_says_where() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("card.csv");
    let line = |n: u32| format!("{n},{},{}", 50 + n / 60 % 7, 100 + n / 60 % 7 * 20);
    let lines: Vec<_> = (0..3600).map(line).collect();
    std::fs::write(&file, format!("s,core_c,power_w\n{}\n", lines.join("\n"))).unwrap();
    let shown = file.to_str().unwrap();
    let output = run(&["backtest", "--csv", shown, "--every=15s", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["gpus"][0]["scrapes"], 240);
    assert_eq!(report["gpus"][0]["verdict"], "not_needed");
    std::fs::write(&file, "s,core_c\n1,2\nwarm,3\n").unwrap();
    let output = run(&["backtest", "--csv", shown]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("card.csv is no recording: line 3"),
        "{}",
        stderr(&output)
    );
}
