//! End to end: the real program over simulated GPUs, with real NVML calls, and the real Prometheus
//! and Alertmanager on the shipped rules where the claim is about them.
//!
//! Plant and guard run faster than the wall alike (`--debug.time-scale`). Nothing asserts how fast
//! this machine is; what was measured is printed on lines that begin with `measured:`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, time things by the wall, start programs, and compare limits exactly"
)]

#[path = "../common/mod.rs"]
mod common;

mod access;
mod apps;
mod chain;
mod disk;
mod faults;
mod governed;
mod hardware;
mod lifecycle;
mod pull;
mod resend;
mod sensors;
mod systemd;
mod takeover;

use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use common::guard::Guard;
use common::nvml_sim::Machine;

/// How long something took, for people.
fn measured(what: &str, since: Instant) {
    tell(&format!("{what}: {:.2} s", since.elapsed().as_secs_f64()));
}

/// A number for people. Past the test harness, which keeps what passing tests print to itself.
fn tell(measured: &str) {
    let _ = writeln!(std::io::stdout(), "measured: {measured}");
}

/// Now and then, as Alertmanager writes times.
fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The UUID of a simulated card.
fn uuid(gpu: usize) -> String {
    format!("GPU-00000000-0000-4000-8000-{gpu:012x}")
}

/// A body of Alertmanager's webhook with one alert on a GPU.
fn delivery(status: &str, action: &str, gpu: usize, starts_at: SystemTime) -> Value {
    json!({
        "version": "4",
        "status": status,
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "alerts": [{
            "status": status,
            "labels": {"alertname": "Test", "guard_action": action, "uuid": uuid(gpu)},
            "annotations": {},
            "startsAt": rfc3339(starts_at),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": "febc53a2d4c8b45d",
        }],
    })
}

/// A machine whose cards have stood under this load for long, below all trips.
fn warm(profiles: &[&str], settings: &[&str]) -> Machine {
    let machine = Machine::create(profiles, &["--time-scale", "0"]);
    machine.ctl(&[&["set"][..], settings].concat());
    machine.ctl(&["advance", "900"]);
    machine
}

/// A card at 70 °C and at full power: it is hot half a minute after its air gets bad.
const WORKING: [&str; 2] = ["load=1", "airflow=0.85"];

/// Sleeps while `holds` holds for this long.
#[track_caller]
fn holds_for(time: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < time {
        assert!(holds(), "no longer: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Counts of the guard's actions with this result, on all GPUs.
fn actions(guard: &Guard, result: &str) -> f64 {
    let name = "thermal_guard_actions_total";
    guard
        .metrics()
        .get(name, &[("result", result)])
        .unwrap_or(0.0)
}
