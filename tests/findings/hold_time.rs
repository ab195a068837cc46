//! A5, M1, M3: what leases may take, what a manual one is told, and what a reload may change.

use crate::common::guard::{Guard, die, limit};
use crate::scene::{
    ALERT, CRITICAL, REACTION, SCALE, a100, brief, delivery, is_held, of, said, seconds, why, within,
};

/// An alert that comes back as soon as the card is given back. For how many seconds of so many it
/// was slowed.
fn flapping(recovery: &str, max_hold: &str, length: f64) -> (f64, Guard) {
    let config =
        format!("policy: {{ recovery_delay: {recovery} }}\nhook: {{ max_hold: {max_hold} }}");
    let guard = Guard::started(a100(&["load=0.3", "inlet=25"], &[]), SCALE, &config);
    let began = seconds(&guard);
    let (mut last, mut slowed, mut firing) = (began, 0.0, false);
    within(&guard, length + 20.0, "the time is over", |card| {
        let now = seconds(&guard);
        let held = is_held(&guard, card);
        slowed += if held { now - last } else { 0.0 };
        last = now;
        // Fires until it holds, is resolved, and fires again once nothing holds any more.
        if held == firing {
            firing = !held;
            let status = if firing { "firing" } else { "resolved" };
            assert_eq!(guard.hook(&delivery(status, "emergency", 0)), 200);
        }
        now > began + length
    });
    (slowed, guard)
}

#[track_caller]
fn holds_no_longer(recovery: &str, max_hold: &str, allowed: f64, length: f64) {
    let (slowed, guard) = flapping(recovery, max_hold, length);
    // A tick or two at each end of each hold, on a busy machine.
    assert!(slowed <= allowed * 1.15 + 5.0, "slowed {slowed} of {length} s");
    assert!(slowed >= allowed * 0.3, "a lease is obeyed: {slowed} of {length} s");
    let overheld = of(&guard, "thermal_guard_overheld", &[]);
    assert_eq!(overheld, Some(1.0), "{}", why(&guard));
}

#[test]
fn an_alert_that_flaps_without_recovery_delay_is_charged_for_all_it_takes() {
    holds_no_longer("0s", "1m", 60.0, 400.0);
}

#[test]
fn an_alert_that_flaps_is_charged_for_its_recoveries() {
    holds_no_longer("5s", "1m", 60.0, 400.0);
}

/// The default delay, and a tenth of the default hold and hour.
#[test]
fn an_alert_that_flaps_over_long_recoveries_is_charged_for_them() {
    holds_no_longer("30s", "3m", 180.0, 360.0);
}

/// M1: the words are the mend.
#[test]
fn a_manual_lease_is_told_what_max_hold_leaves_of_it() {
    let config = "hook: { max_hold: 1m }";
    let guard = Guard::started(a100(&["load=0.3", "inlet=25"], &[]), SCALE, config);
    let url = format!("--url={}", guard.url(""));
    let token = format!("--token-file={}", guard.token_file().display());
    let order = ["--gpu", "0", "--level", "emergency", "--for", "10m", &url, &token];
    let output = guard.run("throttle", &order);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    within(&guard, REACTION, "held", |card| limit(card) <= 100.0);
    assert!(said(&output).contains("max_hold"), "{}", said(&output));
    within(&guard, 120.0, "given back", |card| limit(card) == 400.0);
    let words = why(&guard);
    assert!(!words.contains("alerts have held it"), "nobody's alert: {words}");
}

/// M3: the new floor is reached by regulation, not by one write.
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
    within(&guard, 150.0, "settled", |_| seconds(&guard) > began + 120.0);
    guard.configure(&floor(0.7));
    guard.signal("HUP");
    guard.wait("reloaded", |_| !guard.logged(&["configuration reloaded"]).is_empty());
    let (began, mut last, mut step, mut hottest) = (seconds(&guard), f64::NAN, 0.0_f64, 0.0_f64);
    within(&guard, 320.0, "watched", |card| {
        if last.is_finite() {
            step = step.max(limit(card) - last);
        }
        last = limit(card);
        hottest = hottest.max(die(card));
        seconds(&guard) > began + 300.0
    });
    assert!(hottest < CRITICAL && hottest < ALERT + 3.0, "{hottest} °C");
    assert!(step < 40.0, "{step} W in one write");
    // Held lower still, by whatever rung.
    let card = guard.machine.gpu(0);
    assert!(is_held(&guard, &card), "{}", brief(&card));
}

/// M3: a heat that the card tells and nobody can see. The way out stands where one looks.
#[test]
fn a_slowdown_bit_that_sticks_tells_the_way_out() {
    let guard = Guard::started(a100(&["load=0.1", "inlet=25"], &[]), SCALE, "");
    guard.machine.ctl(&["events", "force=0x40"]);
    guard.wait_state(0, "emergency");
    let words = why(&guard);
    assert!(words.contains("slows itself down"), "{words}");
}
