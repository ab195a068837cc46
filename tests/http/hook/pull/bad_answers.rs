//! An Alertmanager that is none, or that means ill: nothing is taken, nothing ended, and it is
//! counted by what was wrong.

use std::cell::RefCell;
use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use thermal_guard::policy::ask::lease::{CAPACITY, Holder};

use super::fake::{Alertmanager, answer_with};
use super::{after_one_pull, manual, only, puller, recorded};
use crate::hook::bench::Bench;

const REQUESTS: &str = "alertmanager_pull_requests_total";

/// Requests with this result.
fn requests(bench: &Bench, result: &str) -> u64 {
    let label = format!("result=\"{result}\"");
    bench.counters().family(REQUESTS, &label).iter().sum()
}

fn raw(head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

#[tokio::test]
async fn no_bad_answer_takes_or_ends_anything() {
    let deep = "[".repeat(100_000);
    let many = format!("[{}{{}}]", "{},".repeat(6000));
    let heartbeat = only("heartbeat").to_string();
    let elsewhere = Alertmanager::listing(&recorded("active"));
    let redirect = format!("302 Found\r\nLocation: {}/api/v2/alerts", elsewhere.url());
    let cut_short = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{heartbeat}");
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", Vec::new(), "unreachable"),
        (
            "no HTTP",
            b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
            "unreachable",
        ),
        ("empty", answer_with(b""), "malformed"),
        ("no JSON", answer_with(b"<html>"), "malformed"),
        ("no UTF-8", answer_with(b"[\"\xff\"]"), "malformed"),
        (
            "an object",
            answer_with(b"{\"status\":\"success\"}"),
            "malformed",
        ),
        ("null", answer_with(b"null"), "malformed"),
        ("deep", answer_with(deep.as_bytes()), "malformed"),
        ("many", answer_with(many.as_bytes()), "too_large"),
        ("huge", answer_with(&vec![b' '; 3 << 20]), "too_large"),
        ("cut short", cut_short.into_bytes(), "unreachable"),
        ("no content", raw("204 No Content", ""), "malformed"),
        (
            "error",
            raw("500 Internal Server Error", &heartbeat),
            "status",
        ),
        (
            "overloaded",
            raw("503 Service Unavailable", "Limit"),
            "status",
        ),
        ("refused", raw("401 Unauthorized", ""), "refused"),
        ("redirect", raw(&redirect, &heartbeat), "status"),
    ];
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    let before = bench.leases();
    for (what, answer, result) in bad {
        let counts = |bench: &Bench| requests(bench, result);
        let count = counts(&bench);
        alertmanager.answer_alerts(answer);
        puller.round().await;
        assert_eq!(
            counts(&bench),
            count + 1,
            "{what}: {:?}",
            bench.counters().family(REQUESTS, "")
        );
        assert_eq!(bench.leases(), before, "{what}");
    }
    assert!(elsewhere.requests().is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn one_broken_alert_costs_itself() {
    let (bench, alertmanager, mut puller) = after_one_pull().await;
    let broken = [
        "5",
        "null",
        "[]",
        "{}",
        "{\"labels\":{}}",
        "{\"labels\":{\"a\":1},\"status\":{\"state\":\"active\"}}",
        "{\"labels\":{},\"status\":\"active\"}",
        "{\"labels\":{},\"status\":{\"state\":[\"active\"]}}",
    ];
    let good = recorded("active").to_string();
    let all = format!("{},{}]", good.trim_end_matches(']'), broken.join(","));
    alertmanager.answer_alerts(answer_with(all.as_bytes()));
    puller.round().await;
    assert_eq!(bench.leases().len(), 2);
    let alerts = "alertmanager_pull_alerts_total";
    let rejected = bench.counters().family(alerts, "state=\"unknown\"");
    assert_eq!(rejected.iter().sum::<u64>(), broken.len() as u64);
}

/// Too slow to ever end, too alive for a time-out between bytes.
#[tokio::test]
async fn an_answer_that_drips_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[");
        while stream.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    let bench = Bench::new();
    let mut config = super::config(&[]);
    config.urls = vec![url];
    let mut puller = thermal_guard::alerts::pull::Puller::new(&bench.desk, &config).unwrap();
    let clock = bench.shared.clock;
    let began = clock.wall();
    puller.round().await;
    let took = clock.wall().since(began);
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert_eq!(requests(&bench, "timeout"), 1);
    assert!(bench.is_untouched());
}

/// The recorded answer with some bytes changed, moved or lost: no panic, no lease beyond the
/// table's bound, and an operator's own lease stays.
#[test]
fn a_garbled_answer_harms_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let bench = Bench::new();
    manual(&bench);
    let alertmanager = Alertmanager::listing(&recorded("active"));
    let puller = RefCell::new(puller(&bench, &[&alertmanager]));
    let text = recorded("active").to_string().into_bytes();
    let length = text.len();
    let change = (
        0..length,
        prop::collection::vec(any::<u8>(), 0..4),
        0..40_usize,
    );
    let changes = prop::collection::vec(change, 1..4);
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(300)
    };
    let run = TestRunner::new_with_rng(config, rng).run(&changes, |changes| {
        let mut body = text.clone();
        for (at, new, lost) in changes {
            let at = at.min(body.len());
            let end = (at + lost).min(body.len());
            body.splice(at..end, new);
        }
        alertmanager.answer_alerts(answer_with(&body));
        runtime.block_on(puller.borrow_mut().round());
        let leases = bench.leases();
        prop_assert!(leases.len() <= CAPACITY);
        prop_assert!(leases.iter().any(|(_, by, _)| *by == Holder::Manual));
        Ok(())
    });
    run.unwrap();
    let counts = bench.counters().family(REQUESTS, "");
    let some = |result| requests(&bench, result) > 0;
    assert!(some("ok") && some("malformed"), "{counts:?}");
    assert_eq!(counts.iter().sum::<u64>(), 300, "{counts:?}");
}
