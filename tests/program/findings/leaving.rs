//! Letting go of a card, and taking it over: every command and every next guard knows which sensor was
//! doubted. None of them raises a limit of a card that is over alert or blind.

use serde_json::json;

use super::scene::{
    ALERT, CONFIG, REACTION, SCALE, brief, core_only, delivery, is_locked, said, seconds, within,
};
use crate::common::card::{die, limit};
use crate::common::guard::Guard;

/// 0.48 of the default limit, the safe cap.
const CAP: f64 = 192.0;

/// A capped card whose sensors stopped at idle, and which is really over alert.
fn frozen() -> Guard {
    let machine = core_only(&["load=0", "inlet=58"], &[]);
    let guard = Guard::started(machine, SCALE, CONFIG);
    // Some readings that are believed, or it would be a card that was always frozen.
    let began = seconds(&guard);
    within(&guard, 20.0, "seen for a while", |_| {
        seconds(&guard) > began + 10.0
    });
    guard.machine.ctl(&["sensor", "core", "freeze"]);
    guard.machine.ctl(&["set", "load=1"]);
    within(&guard, 60.0, "capped", |card| limit(card) <= CAP);
    guard.wait_state(0, "blind");
    within(&guard, 120.0, "over alert", |card| die(card) > ALERT);
    guard
}

#[track_caller]
fn is_still_capped(guard: &Guard) {
    let card = guard.machine.gpu(0);
    assert!(limit(&card) <= CAP, "raised while blind: {}", brief(&card));
}

#[test]
fn a_stop_leaves_a_blind_card_capped_and_says_so() {
    let mut guard = frozen();
    assert_eq!(guard.stop(), Some(0));
    is_still_capped(&guard);
    assert_eq!(guard.journals(), 1);
    assert!(!guard.logged(&["left capped"]).is_empty());
}

#[test]
fn a_detach_leaves_a_blind_card_capped() {
    let guard = frozen();
    let bearer = format!("Bearer {}", guard.token());
    let code = guard.post("/-/detach", Some(&bearer), &json!({}));
    assert!(code < 300, "{code}");
    guard.wait("detached", |metrics| metrics.state(0) != Some("blind"));
    is_still_capped(&guard);
    assert_eq!(guard.metrics().state(0), Some("unguarded"));
}

#[test]
fn a_restore_after_a_kill_leaves_a_blind_card_capped_unless_forced() {
    let mut guard = frozen();
    guard.kill();
    let output = guard.run("restore", &["--wait", "5s"]);
    is_still_capped(&guard);
    let words = said(&output);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("isn't believed"), "{words}");
    // The guard believes an operator who forces it.
    let output = guard.run("restore", &["--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(limit(&guard.machine.gpu(0)), guard.original(0));
}

#[test]
fn the_next_guard_does_not_trust_the_sensor_that_was_doubted() {
    let mut guard = frozen();
    guard.kill();
    guard.start();
    let began = seconds(&guard);
    while seconds(&guard) < began + 60.0 {
        is_still_capped(&guard);
        let metrics = guard.metrics();
        assert_eq!(metrics.state(0), Some("blind"), "{}", guard.log());
    }
    // The sensor moves again, and proves itself.
    guard.machine.ctl(&["sensor", "core", "none"]);
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn the_next_guard_after_a_stop_does_not_trust_the_sensor_either() {
    let mut guard = frozen();
    assert_eq!(guard.stop(), Some(0));
    guard.start();
    let began = seconds(&guard);
    while seconds(&guard) < began + 40.0 {
        is_still_capped(&guard);
    }
    assert_eq!(guard.metrics().state(0), Some("blind"), "{}", guard.log());
}

/// The card slows itself down for heat while its sensor says 42 °C. The guard believes the card, and
/// stopping doesn't change that.
#[test]
fn a_stop_in_a_contradicted_emergency_gives_nothing_back() {
    let machine = core_only(&["load=1", "inlet=0"], &[]);
    let mut guard = Guard::started(machine, SCALE, CONFIG);
    guard.machine.ctl(&["events", "force=0x40"]);
    within(&guard, 30.0, "an emergency", |card| {
        limit(card) <= 100.0 && is_locked(card)
    });
    assert_eq!(guard.stop(), Some(0));
    let card = guard.machine.gpu(0);
    assert!(
        limit(&card) <= 100.0 && is_locked(&card),
        "{}",
        brief(&card)
    );
    assert_eq!(guard.journals(), 1);
}

/// The control: all of them give back a card that is seen to be cool.
#[test]
fn a_stop_beside_a_cool_card_gives_back_what_a_lease_took() {
    let machine = core_only(&["load=0.3", "inlet=25"], &[]);
    let mut guard = Guard::started(machine, SCALE, CONFIG);
    assert_eq!(guard.hook(&delivery("firing", "emergency", 0)), 200);
    within(&guard, REACTION, "held", |card| limit(card) <= 100.0);
    assert_eq!(guard.stop(), Some(0));
    guard.assert_given_back();
}
