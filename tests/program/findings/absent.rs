//! A card or a driver that offers nothing. `normal` means guarded.

use super::scene::{CONFIG, REACTION, SCALE, a100, delivery, is_locked, said, why, within};
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// Code and body of the answer to a firing emergency.
fn answer(guard: &Guard) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let bearer = format!("Bearer {}", guard.token());
    let request = agent
        .post(guard.url("/hook"))
        .header("Authorization", bearer);
    let mut answer = request
        .send_json(delivery("firing", "emergency", 0))
        .unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), body)
}

/// The guard accepts a firing emergency, and counts it as not possible.
#[track_caller]
fn an_alert_is_answered_as_not_possible(guard: &Guard) {
    let (code, body) = answer(guard);
    assert_eq!(code, 200, "{body}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["accepted"], 1, "{body}");
    assert_eq!(body["not_possible"], 1, "{body}");
}

fn bare(fault: &str) -> Guard {
    let machine = a100(&["load=1", "inlet=20"], &[]);
    machine.ctl(&["fault", fault]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    guard.wait("its state", |metrics| metrics.state(0).is_some());
    guard
}

#[test]
fn a_card_that_supports_nothing_is_unguarded() {
    let guard = bare(
        "unsupported:temperature,memory-temperature,power,power-limit,margin,thresholds,clocks,fan,\
         energy,locks,events,utilization",
    );
    guard.wait_state(0, "unguarded");
    assert!(why(&guard).contains("temperature"), "{}", why(&guard));
    an_alert_is_answered_as_not_possible(&guard);
}

#[test]
fn a_card_with_a_temperature_and_nothing_to_turn_is_unguarded() {
    let guard = bare("unsupported:power-limit,clocks,locks");
    guard.wait_state(0, "unguarded");
    let words = why(&guard);
    assert!(
        words.contains("neither a power limit nor a clock lock"),
        "{words}"
    );
    assert!(!guard.logged(&["unguarded"]).is_empty(), "{}", guard.log());
    an_alert_is_answered_as_not_possible(&guard);
    let output = guard.run("check", &[]);
    let words = said(&output);
    assert!(!words.contains("regulates by the SM clock"), "{words}");
}

/// The control: with a clock left, the alert is possible.
#[test]
fn a_card_with_nothing_but_a_clock_is_guarded_by_it() {
    let guard = bare("unsupported:power-limit");
    guard.wait_state(0, "normal");
    assert_eq!(guard.hook(&delivery("firing", "emergency", 0)), 200);
    within(&guard, REACTION, "locked", is_locked);
}

/// What the guard says about a driver that refuses every program.
#[track_caller]
fn a_driver_that_says(code: &str) -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    machine.ctl(&["answer", "init", code]);
    let mut guard = Guard::new(machine, SCALE, CONFIG);
    guard.launch();
    guard.wait("a first look", |_| !guard.logged(&["NVML"]).is_empty());
    let log = guard.log();
    assert!(!log.contains("no NVIDIA driver"), "there is one: {log}");
    let (code, body) = answer(&guard);
    assert_eq!(code, 503, "{body}");
    assert!(!body.contains("no NVIDIA driver"), "there is one: {body}");
    guard
}

#[test]
fn a_driver_that_is_blocked_is_not_called_missing() {
    let guard = a_driver_that_says("17");
    let log = guard.log();
    assert!(
        log.contains("operating system") || log.contains("OPERATING_SYSTEM"),
        "{log}"
    );
}

#[test]
fn a_driver_that_fails_is_not_called_missing() {
    a_driver_that_says("999");
}
