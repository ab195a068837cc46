//! Leases: how long they may hold a GPU, what a manual lease is told about that, and what a reload may
//! change under one.

use std::thread;
use std::time::{Duration, Instant};

use super::scene::{
    ALERT, REACTION, SCALE, a100, brief, delivery, is_held, is_locked, of, said, seconds, why,
    within,
};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

/// `max_hold` and leases go by the wall clock. Slow enough that the effect of a lease is visible.
const SLOWLY: u32 = 5;

/// A lease may hold for ten seconds of this: thirty are kept for giving back.
const MAX_HOLD: f64 = 40.0;
const WATCHED: f64 = 75.0;

/// As Alertmanager does, more often than a lease lasts.
const RENEWED: Duration = Duration::from_secs(5);

/// An alert that comes back as soon as the card is given back. By the card, it never holds the card
/// for longer than allowed, and recoveries count.
#[track_caller]
fn is_charged_for_all_it_takes(recovery: &str) {
    let config =
        format!("policy: {{ recovery_delay: {recovery} }}\nhook: {{ max_hold: {MAX_HOLD}s }}");
    let guard = Guard::started(a100(&["load=0.3", "inlet=25"], &[]), SLOWLY, &config);
    let began = Instant::now();
    let (mut last, mut slowed, mut firing) = (began, Duration::ZERO, false);
    let (mut sent, mut overheld) = (began, false);
    while began.elapsed().as_secs_f64() < WATCHED {
        let now = Instant::now();
        let held = is_held(&guard, &guard.machine.gpu(0));
        slowed += if held { now - last } else { Duration::ZERO };
        last = now;
        // Fires until it holds, is resolved, and fires again once nothing holds any more.
        let turns = held == firing;
        firing ^= turns;
        if turns || (firing && sent.elapsed() > RENEWED) {
            sent = now;
            let status = if firing { "firing" } else { "resolved" };
            assert_eq!(guard.hook(&delivery(status, "emergency", 0)), 200);
        }
        overheld |= of(&guard, "thermal_guard_overheld", &[]) == Some(1.0);
        thread::sleep(Duration::from_millis(20));
    }
    let slowed = slowed.as_secs_f64();
    assert!(slowed <= MAX_HOLD + 1.0, "slowed {slowed} of {WATCHED} s");
    assert!(
        slowed > 5.0,
        "it is obeyed at first: {slowed} of {WATCHED} s"
    );
    assert!(overheld, "never said");
}

#[test]
fn an_alert_that_flaps_without_recovery_delay_is_charged_for_all_it_takes() {
    is_charged_for_all_it_takes("0s");
}

#[test]
fn an_alert_that_flaps_is_charged_for_its_recoveries() {
    is_charged_for_all_it_takes("5s");
}

#[test]
fn an_alert_that_flaps_over_long_recoveries_is_charged_for_them() {
    is_charged_for_all_it_takes("30s");
}

/// The answer must say it, because the lease ends early by design.
#[test]
fn a_manual_lease_is_told_what_max_hold_leaves_of_it() {
    let config = format!("hook: {{ max_hold: {MAX_HOLD}s }}");
    let guard = Guard::started(a100(&["load=0.3", "inlet=25"], &[]), SLOWLY, &config);
    let url = format!("--url={}", guard.url(""));
    let token = format!("--token-file={}", guard.token_file().display());
    let order = [
        "--gpu",
        "0",
        "--level",
        "emergency",
        "--for",
        "10m",
        &url,
        &token,
    ];
    let output = guard.run("throttle", &order);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    within(&guard, REACTION, "held", |card| limit(card) <= 100.0);
    within(&guard, MAX_HOLD * f64::from(SLOWLY), "given back", |card| {
        limit(card) == 400.0
    });
    assert!(said(&output).contains("max_hold"), "{}", said(&output));
    let words = why(&guard);
    assert!(
        !words.contains("alerts have held it"),
        "nobody's alert: {words}"
    );
}

/// The governor raises the limit to the new floor step by step, not by one write.
#[test]
fn a_higher_floor_by_reload_does_not_let_a_held_card_run_hot() {
    let floor = |share: f64| {
        format!(
            "policy: {{ recovery_delay: 5s }}\nactuators: {{ power_limit: {{ gradual_floor: {share} }} }}"
        )
    };
    let guard = Guard::started(a100(&["load=0", "inlet=52"], &[]), SCALE, &floor(0.4));
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 200.0, "held low", |card| limit(card) < 230.0);
    let began = seconds(&guard);
    within(&guard, 150.0, "settled", |_| {
        seconds(&guard) > began + 120.0
    });
    guard.configure(&floor(0.7));
    guard.signal("HUP");
    guard.wait("reloaded", |_| {
        !guard.logged(&["configuration reloaded"]).is_empty()
    });
    let (began, mut last, mut step, mut hottest) = (seconds(&guard), f64::NAN, 0.0_f64, 0.0_f64);
    within(&guard, 320.0, "watched", |card| {
        if last.is_finite() {
            // Under a lock the limit doesn't bind.
            let raised = limit(card) - last;
            step = step.max(if is_locked(card) { 0.0 } else { raised });
        }
        last = limit(card);
        hottest = hottest.max(die(card));
        seconds(&guard) > began + 300.0
    });
    assert!(hottest < ALERT + 3.0, "{hottest} °C");
    assert!(step < 40.0, "{step} W in one write");
    // Held lower still, by any rung.
    let card = guard.machine.gpu(0);
    assert!(is_held(&guard, &card), "{}", brief(&card));
}
