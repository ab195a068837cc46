//! A webhook for people: it is told of throttles and faults, and nothing waits for it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::Machine;
use crate::common::process::stdout;
use crate::common::wait::{PATIENCE, wait_until};

const SCALE: u32 = 20;

/// Part of the URL, which nobody may read in a log.
const SECRET: &str = "hunter2";

fn guard(notify: &str) -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    let config = format!("policy: {{ recovery_delay: 5s }}\nnotify: {{ {notify} }}\n");
    Guard::started(machine, SCALE, &config)
}

fn count(guard: &Guard, result: &str) -> String {
    let name = "thermal_guard_notify_events_total";
    let count = guard.metrics().get(name, &[("result", result)]);
    count.expect("a counter from the start").to_string()
}

/// The names of the events in all JSON messages so far.
fn told(listener: &Listener) -> Vec<String> {
    let mut told = Vec::new();
    for (_, body) in listener.messages() {
        let message: Value = serde_json::from_str(&body).unwrap();
        for event in message["events"].as_array().unwrap() {
            assert!(!event["text"].as_str().unwrap().is_empty());
            told.push(event["event"].as_str().unwrap().to_owned());
        }
    }
    told
}

#[track_caller]
fn until(guard: &Guard, what: &str, holds: impl FnMut() -> bool) {
    assert!(
        wait_until(PATIENCE, holds),
        "never: {what}\n{}",
        guard.log()
    );
}

#[test]
fn a_webhook_that_was_away_is_told_of_a_throttle_and_its_end() {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = is_back.clone();
    let webhook = Listener::start(move |_| {
        let answer = if back.load(Ordering::SeqCst) {
            "text/plain"
        } else {
            ""
        };
        Some((answer, String::new()))
    });
    let mut guard = guard(&format!("url: 'http://{}/{SECRET}'", webhook.address));
    guard.overheat();
    guard.wait_throttled(0);
    until(&guard, "the webhook is tried", || {
        !webhook.messages().is_empty()
    });
    let refused = "notification not delivered, protection goes on";
    until(&guard, "its refusal is logged", || {
        guard.log().contains(refused)
    });
    guard.cool_down();
    guard.wait_state(0, "normal");
    let before = webhook.messages().len();
    is_back.store(true, Ordering::SeqCst);
    until(&guard, "delivered", || count(&guard, "delivered") != "0");
    let delivered = webhook.messages().split_off(before);
    assert_eq!(delivered.len(), 1, "all in one message: {delivered:?}");
    let (head, body) = &delivered[0];
    assert!(head.starts_with(&format!("POST /{SECRET} ")), "{head}");
    let message: Value = serde_json::from_str(body).unwrap();
    let names: Vec<_> = (message["events"].as_array().unwrap().iter())
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names.first(), Some(&"throttled"), "{body}");
    assert_eq!(names.last(), Some(&"recovered"), "{body}");
    assert!(
        !names.contains(&"recovering"),
        "less than a warning: {body}"
    );
    assert_eq!(count(&guard, "delivered"), names.len().to_string());
    assert_eq!(count(&guard, "dropped"), "0");
    until(&guard, "its return is logged", || {
        guard.log().contains("notifications are delivered again")
    });
    assert_eq!(guard.stop(), Some(0));
    assert!(!guard.log().contains(SECRET), "{}", guard.log());
}

#[test]
fn check_says_whom_a_message_would_go_to_and_what_keeps_it() {
    let guard = guard("url: 'http://localhost:1/secret'");
    let says = |notify: &str| {
        guard.configure(&format!("notify: {{ {notify} }}"));
        stdout(&guard.run("check", &[]))
    };
    let good = says("url: 'http://localhost:1/secret', min_severity: error");
    assert!(
        good.contains("events from severity error on go to http://localhost:1/…"),
        "{good}"
    );
    let missing = says("url_file: nowhere.url");
    assert!(
        missing.contains("nowhere.url: ") && missing.contains("nobody is told"),
        "{missing}"
    );
    assert!(!says("").contains("notify"));
}

#[test]
fn a_webhook_that_hangs_delays_neither_the_throttle_nor_the_stop() {
    let webhook = Listener::hanging();
    let mut guard = guard(&format!("url: 'http://{}'", webhook.address));
    guard.overheat();
    until(&guard, "asked", || !webhook.requests().is_empty());
    guard.wait_throttled(0);
    guard.cool_down();
    guard.wait_state(0, "normal");
    let stops = Instant::now();
    assert_eq!(guard.stop(), Some(0));
    assert!(stops.elapsed() < PATIENCE, "{:?}", stops.elapsed());
}

#[test]
fn a_reload_takes_another_webhook_whose_url_is_in_a_file() {
    let (first, second) = (Listener::obedient(), Listener::obedient());
    let guard = guard(&format!(
        "url: 'http://{}', min_severity: info",
        first.address
    ));
    until(&guard, "the start is told", || {
        told(&first).contains(&"started".to_owned())
    });
    let file = guard.path("webhook.url");
    fs::write(&file, format!("http://{}/{SECRET}\n", second.address)).unwrap();
    guard.configure("notify: { url_file: webhook.url, format: ntfy }");
    guard.signal("HUP");
    until(&guard, "reloaded", || {
        guard.log().contains("configuration reloaded")
    });
    guard.overheat();
    until(&guard, "the second is told", || {
        !second.messages().is_empty()
    });
    let (head, body) = second.messages().remove(0);
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("x-title: thermal-guard on ") && head.contains("x-priority: "),
        "{head}"
    );
    assert!(body.contains("GPU 0: throttled to "), "{body}");
    let before = told(&first).len();
    let more = wait_until(Duration::from_secs(2), || told(&first).len() > before);
    assert!(!more, "the first is told no more");
    let up = |guard: &Guard| guard.metrics().get("thermal_guard_notify_up", &[]);
    until(&guard, "up", || up(&guard).is_some());
    guard.configure("mode: enforce");
    guard.signal("HUP");
    until(&guard, "nothing is said of no webhook", || {
        up(&guard).is_none()
    });
}

#[test]
fn a_message_under_way_at_a_reload_says_nothing_of_the_webhook_that_comes_after() {
    let webhook = Listener::hanging();
    let guard = guard(&format!("url: \"http://{}/\"", webhook.address));
    guard.overheat();
    until(&guard, "asked", || !webhook.requests().is_empty());
    guard.configure("mode: enforce");
    guard.signal("HUP");
    until(&guard, "reloaded", || {
        guard.log().contains("configuration reloaded")
    });
    // It gives up after ten seconds.
    let told = wait_until(Duration::from_secs(12), || {
        guard
            .metrics()
            .get("thermal_guard_notify_up", &[])
            .is_some()
    });
    assert!(!told, "{}", guard.log());
}
