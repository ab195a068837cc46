//! `report` and the event log under it, with the real program: what it tells is what the metrics
//! counted, and neither `kill -9` nor a full disk gets in the way of anything.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::float_cmp,
    reason = "tests start programs, fail by panic, and compare counts exactly"
)]

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::{program, run, stderr, stdout};
use crate::common::scrape::Metrics;
use crate::common::wait::wait_for;

fn machine(profiles: &[&str]) -> Machine {
    Machine::create(profiles, &[])
}

fn report(guard: &Guard) -> Value {
    let output = guard.run("report", &["--json", "--last=1h"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The metrics of throttles on the first GPU, to compare.
fn counted(metrics: &Metrics) -> (f64, f64) {
    let count = |name| metrics.of(0, name, &[]).unwrap();
    (
        count("thermal_guard_throttle_events_total"),
        count("thermal_guard_recoveries_total"),
    )
}

fn told(report: &Value) -> (f64, f64) {
    let gpu = &report["gpus"][0];
    let count = |name: &str| gpu[name].as_f64().unwrap();
    (count("throttle_events"), count("recoveries"))
}

#[test]
fn the_report_tells_what_the_metrics_count_with_and_without_a_guard() {
    let mut guard = Guard::started(machine(&["a100-80gb", "l40s"]), 20, "");
    guard.heat(0);
    guard.wait_state(0, "gradual");
    guard.cool(0);
    let metrics = guard.wait_state(0, "normal");
    let (begun, recoveries) = counted(&metrics);
    assert!(begun >= 1.0 && recoveries >= 1.0);
    wait_for("the log has it", || {
        told(&report(&guard)) == (begun, recoveries)
    });
    assert_eq!(guard.stop(), Some(0));
    let record = report(&guard);
    assert_eq!(told(&record), (begun, recoveries));
    assert_eq!(
        record["guard"],
        json!({ "starts": 1, "deaths": 0, "reloads_refused": 0,
        "chain_outages": { "count": 0, "seconds": 0.0 }, "driver_outages": { "count": 0, "seconds": 0.0 },
        "detached": { "count": 0, "seconds": 0.0 } })
    );
    let throttled = metrics.of(0, "thermal_guard_throttled_seconds_total", &[]);
    let told = record["gpus"][0]["throttled_seconds"].as_f64().unwrap();
    // A tick is a second of the plant's, and begin and end fall between two each.
    let slack = 2.0 * (begun + recoveries);
    assert!(
        (told - throttled.unwrap()).abs() <= slack,
        "{told} {throttled:?}"
    );
    // Without a terminal the output is plain text.
    let page = stdout(&guard.run("report", &[]));
    assert!(
        page.contains("by the guard itself") && !page.contains('\u{1b}'),
        "{page}"
    );
    let no_log = run(&["report", "--state.dir=/nonexistent"]);
    assert_eq!(no_log.status.code(), Some(1));
    assert!(
        stderr(&no_log).contains("--state.dir"),
        "{}",
        stderr(&no_log)
    );
    assert_eq!(run(&["report", "--last=soon"]).status.code(), Some(2));
}

#[test]
fn a_throttle_over_which_a_guard_is_killed_is_one_incident() {
    let mut guard = Guard::started(machine(&["a100-80gb"]), 20, "");
    guard.heat(0);
    guard.wait_state(0, "gradual");
    guard.wait_throttled(0);
    wait_for("written", || told(&report(&guard)).0 >= 1.0);
    guard.kill();
    guard.start();
    guard.wait_throttled(0);
    guard.cool(0);
    guard.wait_state(0, "normal");
    guard.stop();
    let record = report(&guard);
    assert_eq!(record["guard"]["starts"], json!(2));
    assert_eq!(record["guard"]["deaths"], json!(1));
    let incidents = record["incidents"].as_array().unwrap();
    let of_kind = |kind| incidents.iter().filter(move |it| it["kind"] == kind);
    let throttles: Vec<_> = of_kind("throttle").collect();
    assert_eq!(
        throttles[0]["throttle"]["taken_over"],
        json!(true),
        "{throttles:#?}"
    );
    assert_eq!(of_kind("guard").count(), 1);
}

/// A pause and its end are an event each: as many as fit, until it is shot.
#[test]
fn kill_9_while_writing_costs_at_most_a_torn_line() {
    let mut guard = Guard::new(machine(&["a100-80gb"]), 1, "");
    let log = guard.path("state/events.jsonl");
    for _ in 0..3 {
        guard.start();
        let before = fs::metadata(&log).unwrap().len();
        let bearer = format!("Bearer {}", guard.token());
        let grown = || fs::metadata(&log).unwrap().len() > before + 2_000;
        for minutes in 1..1_000 {
            let body = json!({ "gpu": "0", "for": format!("{minutes}m") });
            assert_eq!(guard.post("/api/v1/pauses", Some(&bearer), &body), 200);
            if grown() {
                break;
            }
        }
        assert!(grown());
        guard.kill();
        let record = report(&guard);
        assert!(record["unreadable_lines"].as_u64().unwrap() <= 1);
    }
    // As if the disk had taken half a line.
    let text = fs::read(&log).unwrap();
    fs::write(&log, &text[..text.len() - 5]).unwrap();
    guard.start();
    guard.stop();
    let record = report(&guard);
    assert_eq!(record["unreadable_lines"], json!(1));
    assert_eq!(record["guard"]["starts"], json!(4));
    assert_eq!(record["guard"]["deaths"], json!(3));
}

/// Runs until dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `serve` of `guard`, with files of at most one kilobyte: to it, the disk is full from there on.
fn on_a_full_disk(guard: &Guard, port: u16) -> Running {
    let serve = guard.command("serve");
    let limits = "trap '' XFSZ; ulimit -f 2; exec \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", limits, "sh"]).arg(program());
    shell.args(serve.get_args());
    shell.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let environment = serve.get_envs();
    shell.envs(environment.filter_map(|(key, value)| Some((key, value?))));
    shell.stdout(Stdio::null()).stderr(Stdio::null());
    Running(shell.spawn().unwrap())
}

#[test]
fn a_full_disk_drops_events_and_stops_no_throttle() {
    let guard = Guard::new(machine(&["a100-80gb"]), 20, "");
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let _running = on_a_full_disk(&guard, port);
    let scrape = || {
        let mut answer = ureq::get(format!("http://127.0.0.1:{port}/metrics"))
            .call()
            .ok()?;
        Some(Metrics::parse(&answer.body_mut().read_to_string().ok()?))
    };
    let events = |result| {
        let name = "thermal_guard_event_log_events_total";
        scrape()?.get(name, &[("result", result)])
    };
    wait_for("the guard runs", || {
        scrape().is_some_and(|it| it.state(0).is_some())
    });
    for round in 0..2 {
        guard.heat(0);
        guard.wait_throttled(0);
        guard.cool(0);
        wait_for("given back", || {
            scrape().is_some_and(|it| it.state(0) == Some("normal"))
        });
        assert!(
            round > 0 || events("written") >= Some(1.0),
            "there was room"
        );
    }
    assert!(events("dropped") >= Some(1.0), "the disk was never full");
    let log = fs::metadata(guard.path("state/events.jsonl")).unwrap();
    assert!(log.len() <= 1024, "{}", log.len());
    guard.assert_given_back();
    let record = report(&guard);
    assert!(record["gpus"][0]["throttle_events"].as_u64() >= Some(1));
}

#[test]
fn a_state_directory_that_cannot_be_made_costs_the_log_and_not_the_guard() {
    let mut guard = Guard::new(machine(&["a100-80gb"]), 20, "");
    // The token needs a place, too.
    let token = guard.path("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    guard.configure(&format!(
        "hook: {{ bearer_token_file: {} }}",
        token.display()
    ));
    fs::write(guard.path("state"), "in the way").unwrap();
    guard.start();
    guard.heat(0);
    guard.wait_throttled(0);
    let dropped = [("result", "dropped")];
    guard.wait("events are dropped and counted", |metrics| {
        metrics.get("thermal_guard_event_log_events_total", &dropped) >= Some(2.0)
    });
    assert_eq!(guard.logged(&["event log not written"]).len(), 1);
    let output = guard.run("report", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}
