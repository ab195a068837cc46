//! What people read of a GPU whose guard was restarted: why it is throttled, and what became of it.

use serde_json::{Value, json};

use super::applications::{App, SCALE, actuate, config, throttle, until};
use crate::common::card::limit;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::stdout;

fn gpu(guard: &Guard) -> Value {
    guard.status()["gpus"][0].clone()
}

fn why(guard: &Guard) -> String {
    gpu(guard)["why"].as_str().unwrap_or_default().to_owned()
}

/// A guard of a unit, which leaves it to the unit to give back.
fn of_a_unit(configuration: &str) -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    let mut guard = Guard::new(machine, SCALE, configuration);
    guard.set_env("THERMAL_GUARD_UNIT", "thermal-guard.service");
    guard.start();
    guard
}

fn restart(guard: &mut Guard) {
    assert_eq!(guard.stop(), Some(0));
    guard.start();
}

/// Everything is back but an application's word.
#[test]
fn a_recovery_that_waits_for_an_app_is_named_and_over_with_its_guard() {
    let (app, sick) = (App::start(), App::start());
    sick.set_away(true);
    let health = format!(", health_url: '{}/health'", sick.url());
    let mut guard = of_a_unit(&config(&app.entry_with("triage", &health)));
    throttle(&guard, "gradual");
    let is_capped = |guard: &Guard| limit(&guard.machine.gpu(0)) < guard.original(0);
    until(&guard, "capped", || is_capped(&guard));
    actuate(
        &guard,
        "/api/v1/pauses",
        &json!({ "gpu": "0", "for": "30m" }),
    );
    let waits = "all given back; waiting until the app triage answers at its health_url";
    until(&guard, "waiting", || why(&guard).starts_with(waits));
    assert!(!is_capped(&guard));
    restart(&mut guard);
    let report = stdout(&guard.run("report", &["--last=1h"]));
    assert!(report.contains("given back as the guard left"), "{report}");
    assert!(!report.contains("left capped"), "{report}");
}

#[test]
fn a_lease_that_goes_on_after_a_restart_is_what_holds_the_gpu() {
    // Three seconds of the wall, to see what is so after the release.
    let mut guard = of_a_unit("policy: { recovery_delay: 60s }");
    throttle(&guard, "gradual");
    let cap = || limit(&guard.machine.gpu(0)) < guard.original(0);
    until(&guard, "capped", cap);
    restart(&mut guard);
    let asked = "throttled: an operator asked; ";
    until(&guard, "goes on", || why(&guard).starts_with(asked));
    assert_eq!(gpu(&guard)["trigger"], "manual");
    // Without it, nobody knows any more.
    let url = format!("--url={}", guard.url(""));
    guard.run("release", &["--gpu=0", &url]);
    let left = "throttled: left so by the guard before; ";
    until(&guard, "released", || why(&guard).starts_with(left));
    assert_eq!(gpu(&guard).get("trigger"), None);
}
