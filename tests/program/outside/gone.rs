//! An application doesn't stay slow for a card that is gone, but does for a card that just isn't seen.

use serde_json::json;

use super::applications::{App, actuate, guard, stays, until};
use crate::common::guard::Guard;

fn throttled_seconds(guard: &Guard) -> f64 {
    let name = "thermal_guard_throttled_seconds_total";
    guard.metrics().of(1, name, &[]).unwrap_or(0.0)
}

#[test]
fn a_card_off_the_bus_frees_its_applications_and_is_not_counted_as_throttled() {
    let app = App::start();
    let guard = guard(3, &app.entry("app"));
    guard.machine.ctl(&["fault", "--gpu", "1", "lost"]);
    until(&guard, "nobody sees it", || {
        app.told().contains(&"eco".to_owned())
    });
    until(&guard, "it is gone", || app.mode() == "normal");
    let counted = throttled_seconds(&guard);
    // Two minutes of the plant's.
    stays(&guard, 6.0, "normal", || app.mode() == "normal");
    assert!((throttled_seconds(&guard) - counted).abs() < f64::EPSILON);
    // The others still count.
    guard
        .machine
        .ctl(&["set", "--gpu", "2", "load=1", "inlet=60"]);
    until(&guard, "eco for the hot one", || app.mode() == "eco");
    guard
        .machine
        .ctl(&["set", "--gpu", "2", "load=0", "inlet=20"]);
    until(&guard, "normal again", || app.mode() == "normal");
    // And so does this one, once it is back.
    guard.machine.ctl(&["fault", "--gpu", "1", "failing-reads"]);
    until(&guard, "back, and not seen", || app.mode() == "eco");
}

#[test]
fn a_card_that_only_cannot_be_read_keeps_its_applications_slow() {
    let app = App::start();
    let guard = guard(2, &app.entry("app"));
    guard.machine.ctl(&["fault", "--gpu", "1", "failing-reads"]);
    until(&guard, "unseen is as good as hot", || app.mode() == "eco");
    // Seven minutes of the plant's.
    stays(&guard, 21.0, "eco", || app.mode() == "eco");
}

#[test]
fn a_card_that_is_not_there_after_a_detach_frees_its_applications() {
    let app = App::start();
    let guard = guard(2, &app.entry("app"));
    guard.machine.ctl(&["fault", "--gpu", "1", "lost"]);
    until(&guard, "nobody sees it", || {
        app.told().contains(&"eco".to_owned())
    });
    actuate(&guard, "/-/detach", &json!({}));
    guard.machine.ctl(&["order", "0"]);
    guard.machine.ctl(&["driver-reload"]);
    actuate(&guard, "/-/attach", &json!({}));
    until(&guard, "it is gone", || app.mode() == "normal");
    stays(&guard, 3.0, "normal", || app.mode() == "normal");
}

#[test]
fn a_pause_frees_the_applications_of_a_card_whose_driver_is_gone() {
    let app = App::start();
    let guard = guard(1, &app.entry("app"));
    guard.machine.ctl(&["driver-unload"]);
    until(&guard, "nobody sees it", || app.mode() == "eco");
    stays(&guard, 3.0, "a driver may come back", || {
        app.mode() == "eco"
    });
    let body = json!({ "gpu": "0", "for": "10m" });
    actuate(&guard, "/api/v1/pauses", &body);
    until(&guard, "an operator knows better", || {
        app.mode() == "normal"
    });
}
