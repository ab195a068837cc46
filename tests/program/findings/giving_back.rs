//! Giving back: the guard says that a value is back only if the card has it.

use serde_json::Value;

use super::scene::{
    CONFIG, REACTION, SCALE, a100, brief, delivery, is_locked, of, said, watch, why, within,
};
use crate::common::card::{limit, writes};
use crate::common::guard::Guard;

/// Throttled by an alert that is over, on a card that is cool all the time.
fn leased(guard: &Guard) {
    assert_eq!(guard.hook(&delivery("firing", "emergency", 0)), 200);
    within(guard, REACTION, "held", |card| limit(card) <= 150.0);
}

fn resolved(guard: &Guard) {
    assert_eq!(guard.hook(&delivery("resolved", "emergency", 0)), 200);
}

fn cool_guard() -> Guard {
    Guard::started(a100(&["load=0.3", "inlet=25"], &[]), SCALE, CONFIG)
}

fn recoveries(guard: &Guard) -> f64 {
    of(guard, "thermal_guard_recoveries_total", &[]).unwrap_or(0.0)
}

fn all_writes(guard: &Guard) -> u64 {
    writes(&guard.machine.gpu(0))
}

/// While the card doesn't have its limit, the guard reports no recovery, and doesn't write at each tick.
#[track_caller]
fn not_recovered_yet(guard: &Guard, on_card: impl Fn(&Value) -> bool) {
    watch(guard, 60.0);
    let before = all_writes(guard);
    let seen = watch(guard, 60.0);
    let card = guard.machine.gpu(0);
    assert!(on_card(&card), "{}", brief(&card));
    let writes = all_writes(guard) - before;
    assert!(writes <= 20, "{writes} writes in a minute");
    assert_ne!(seen.states, ["normal"], "normal without its limit");
    assert_eq!(recoveries(guard), 0.0);
    assert!(guard.logged(&["recovery completed"]).is_empty());
}

/// The card takes it again, and has it within five minutes.
#[track_caller]
fn recovered_at_last(guard: &Guard) {
    within(guard, 300.0, "given back", |card| {
        limit(card) == guard.original(0)
    });
    guard.assert_given_back();
    assert_eq!(recoveries(guard), 1.0);
}

#[test]
fn a_limit_that_is_clamped_is_not_back() {
    let guard = cool_guard();
    leased(&guard);
    guard
        .machine
        .ctl(&["setter", "power-limit", "clamp=0:250000"]);
    resolved(&guard);
    not_recovered_yet(&guard, |card| limit(card) == 250.0);
    guard.machine.ctl(&["setter", "power-limit", "none"]);
    recovered_at_last(&guard);
}

#[test]
fn a_limit_that_can_not_be_read_is_not_back() {
    let guard = cool_guard();
    leased(&guard);
    guard.machine.ctl(&["answer", "power-limit", "3"]);
    // Nor the limit in force, which would tell as well.
    guard.machine.ctl(&["answer", "enforced-power-limit", "3"]);
    resolved(&guard);
    watch(&guard, 60.0);
    assert_eq!(recoveries(&guard), 0.0);
    guard.machine.ctl(&["answer", "--clear"]);
    recovered_at_last(&guard);
}

#[test]
fn a_limit_that_is_not_supported_once_is_given_back() {
    let guard = cool_guard();
    leased(&guard);
    guard
        .machine
        .ctl(&["answer", "power-limit", "3", "--times", "1"]);
    resolved(&guard);
    recovered_at_last(&guard);
}

/// One refusal isn't a refusal for ever.
#[test]
fn a_limit_that_was_out_of_range_for_a_while_is_given_back() {
    let guard = cool_guard();
    leased(&guard);
    guard.machine.ctl(&["facts", "max_w=250"]);
    resolved(&guard);
    not_recovered_yet(&guard, |card| limit(card) <= 250.0);
    guard.machine.ctl(&["facts", "max_w=400"]);
    recovered_at_last(&guard);
}

/// A number outside the card's range, or one that is read only once, isn't a limit that somebody set.
#[track_caller]
fn an_absurd_limit_is_nobodys(value: &str) {
    let mut guard = cool_guard();
    leased(&guard);
    guard
        .machine
        .ctl(&["answer", "power-limit", "0", value, "--times", "1"]);
    watch(&guard, 20.0);
    let journal = std::fs::read_dir(guard.path("state/gpus")).unwrap();
    let journal = journal.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let journal: String = journal.collect();
    assert!(journal.contains("400000"), "{journal}");
    resolved(&guard);
    recovered_at_last(&guard);
    let foreign = of(&guard, "thermal_guard_foreign_limits_total", &[]);
    assert_eq!(foreign, Some(0.0));
    assert_eq!(guard.stop(), Some(0));
    let output = guard.run("restore", &["--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_limit_of_zero_once_is_not_the_original() {
    an_absurd_limit_is_nobodys("0");
}

#[test]
fn a_limit_of_not_available_once_is_not_the_original() {
    an_absurd_limit_is_nobodys("4294967295");
}

/// The limit is back when the card has its rounded form of it. After that the guard writes nothing.
#[track_caller]
fn a_rounding_setter(how: &str, within_watts: f64) {
    // Somebody set it by other means: no whole step of a driver that rounds.
    let machine = a100(&["load=0.3", "inlet=25"], &["limit_w=397"]);
    machine.ctl(&["setter", "power-limit", how]);
    let mut guard = Guard::started(machine, SCALE, CONFIG);
    let lease = |status| guard.hook(&delivery(status, "gradual", 0));
    assert_eq!(lease("firing"), 200);
    within(&guard, REACTION, "held", |card| limit(card) < 390.0);
    assert_eq!(lease("resolved"), 200);
    let close = |card: &Value| guard.original(0) - limit(card) <= within_watts && !is_locked(card);
    within(&guard, 120.0, "given back", close);
    watch(&guard, 30.0);
    let before = all_writes(&guard);
    let seen = watch(&guard, 60.0);
    assert_eq!(
        all_writes(&guard),
        before,
        "writes though nothing is to be done"
    );
    assert_eq!(seen.states, ["normal"]);
    assert_eq!(of(&guard, "thermal_guard_action_active", &[]), Some(0.0));
    assert_eq!(guard.journals(), 0);
    assert_eq!(guard.stop(), Some(0));
    let output = guard.run("restore", &[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_driver_that_stores_a_milliwatt_less_is_content() {
    a_rounding_setter("quantise=1,offset=1", 0.001_5);
}

#[test]
fn a_driver_that_rounds_to_five_watts_is_content() {
    a_rounding_setter("quantise=5000", 5.0);
}

fn over_the_range() -> Guard {
    let facts = ["max_w=300", "min_w=150", "limit_w=330"];
    Guard::started(a100(&["load=0.3", "inlet=25"], &facts), SCALE, CONFIG)
}

/// The guard gives back the nearest limit that the card takes, also when it stops. That isn't the
/// limit from before, so the journal stays until `restore` has said so.
#[test]
fn a_limit_over_the_range_comes_back_as_near_as_the_card_takes_it() {
    let mut guard = over_the_range();
    leased(&guard);
    assert_eq!(guard.stop(), Some(0));
    let card = guard.machine.gpu(0);
    assert_eq!(limit(&card), 300.0, "{}", brief(&card));
    assert!(!is_locked(&card));
    assert_eq!(guard.journals(), 1);
    let output = guard.run("restore", &["--force"]);
    let words = said(&output);
    assert_eq!(output.status.code(), Some(0), "{words}");
    let wanted = "330 W isn't taken any more (150 W to 300 W): 300 W is set, the nearest";
    assert!(words.contains(wanted), "{words}");
    assert_eq!(limit(&guard.machine.gpu(0)), 300.0);
    assert_eq!(guard.journals(), 0);
}

#[test]
fn a_limit_over_the_range_is_not_said_to_be_back() {
    let guard = over_the_range();
    leased(&guard);
    resolved(&guard);
    within(&guard, 200.0, "given back", |card| limit(card) == 300.0);
    not_recovered_yet(&guard, |card| limit(card) == 300.0 && !is_locked(card));
    assert!(why(&guard).contains("330"), "{}", why(&guard));
    guard.machine.ctl(&["facts", "max_w=400"]);
    recovered_at_last(&guard);
}
