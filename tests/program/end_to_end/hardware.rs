//! Cards and drivers that come, go and refuse, and plants that are hard to hold. No alert chain:
//! the local loop alone.

use std::time::{Duration, Instant};

use super::actions;
use crate::common::card::{die, limit, writes};
use crate::common::figures::{measured, tell};
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::{PATIENCE, holds_for, wait_until};

const CONFIG: &str = "policy: { recovery_delay: 10s }";

#[test]
fn a_gpu_that_disappears_leaves_the_other_held_and_comes_back() {
    let machine = Machine::warm(&["a100-80gb", "h100"], &WORKING);
    machine.ctl(&["limit", "--gpu", "0", "390.5"]);
    machine.ctl(&["limit", "--gpu", "1", "655.5"]);
    let guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    guard.heat(1);
    let heated = Instant::now();
    guard.wait_throttled(0);
    measured(
        "heat to limit on the GPU by the local loop, 20 times as fast",
        heated,
    );
    guard.wait_throttled(1);

    guard.machine.ctl(&["fault", "--gpu", "1", "lost"]);
    let up = |gpu, is| {
        guard.wait("gpu_up", |metrics| {
            metrics.of(gpu, "thermal_guard_gpu_up", &[]) == Some(is)
        })
    };
    let metrics = up(1, 0.0);
    assert_eq!(metrics.of(0, "thermal_guard_gpu_up", &[]), Some(1.0));
    for reading in [
        "thermal_guard_gpu_temperature_celsius",
        "thermal_guard_gpu_power_draw_watts",
        "thermal_guard_gpu_power_limit_watts",
        "thermal_guard_margin_to_alert_celsius",
    ] {
        assert_eq!(metrics.of(1, reading, &[]), None, "{reading} of a lost GPU");
        assert!(
            metrics.of(0, reading, &[]).is_some(),
            "{reading} of the other"
        );
    }
    holds_for(Duration::from_secs(3), "GPU 0 held", || {
        let card = guard.machine.gpu(0);
        limit(&card) < guard.original(0) && die(&card) < 85.0
    });

    guard.machine.ctl(&["fault", "--gpu", "1", "none"]);
    let metrics = up(1, 1.0);
    assert!(
        metrics
            .of(1, "thermal_guard_gpu_temperature_celsius", &[])
            .is_some()
    );
    guard.cool(0);
    guard.cool(1);
    guard.assert_given_back();
    let reopened = guard
        .metrics()
        .of(1, "thermal_guard_gpu_reopened_total", &[]);
    assert_eq!(reopened, Some(1.0));
}

#[test]
fn a_hung_driver_call_costs_its_own_gpu_and_nothing_else() {
    let machine = Machine::warm(&["a100-80gb", "h100"], &WORKING);
    let app = Listener::obedient();
    let config = format!(
        "{CONFIG}\napps: [{{ name: app, gpus: [1], http: {{ url: 'http://{}/mode?mode={{mode}}' }} }}]",
        app.address
    );
    let guard = Guard::started(machine, 20, &config);
    let hung = |gpu, value| {
        guard.wait("gpu_hung", |metrics| {
            metrics.of(gpu, "thermal_guard_gpu_hung", &[]) == Some(value)
        })
    };
    guard.machine.ctl(&["fault", "--gpu", "1", "hang"]);
    let hangs = Instant::now();
    let metrics = hung(1, 1.0);
    measured("a call hangs to thermal_guard_gpu_hung", hangs);
    assert_eq!(metrics.of(0, "thermal_guard_gpu_hung", &[]), Some(0.0));
    let told = || {
        app.requests()
            .contains(&"POST /mode?mode=gradual".to_owned())
    };
    assert!(
        wait_until(PATIENCE, told),
        "its app slows down: {:?}",
        app.requests()
    );
    measured("a call hangs to its app told to slow down", hangs);

    guard.heat(0);
    guard.wait_throttled(0);
    guard.cool(0);
    guard.wait_state(0, "normal");

    guard.machine.ctl(&["fault", "--gpu", "1", "none"]);
    let metrics = hung(1, 0.0);
    assert_eq!(
        metrics.of(1, "thermal_guard_worker_restarts_total", &[]),
        Some(0.0)
    );
    guard.wait("up again", |metrics| {
        metrics.of(1, "thermal_guard_gpu_up", &[]) == Some(1.0)
    });
    let normal = || {
        app.requests()
            .last()
            .is_some_and(|last| last == "POST /mode?mode=normal")
    };
    assert!(wait_until(PATIENCE, normal), "{:?}", app.requests());
    let log = guard.log();
    assert_eq!(log.matches("hangs inside the driver").count(), 1, "{log}");
    guard.assert_given_back();
}

#[test]
fn a_driver_reload_in_mid_throttle_is_survived_and_leaves_no_wrong_limit() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "380.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    guard.wait_throttled(0);

    guard.machine.ctl(&["driver-reload"]);
    let reloaded = Instant::now();
    guard.wait("reopened", |metrics| {
        metrics.of(0, "thermal_guard_gpu_reopened_total", &[]) >= Some(1.0)
    });
    measured(
        "driver reload to the GPU open again, 20 times as fast",
        reloaded,
    );
    // The reload set the limit to its default; 380.5 W is no longer anybody's setting.
    guard.originals_are_now(&[400.0]);
    guard.wait_throttled(0);
    measured("driver reload to throttled again", reloaded);
    let metrics = guard.metrics();
    assert_eq!(metrics.get("thermal_guard_nvml_up", &[]), Some(1.0));
    assert_eq!(metrics.of(0, "thermal_guard_gpu_up", &[]), Some(1.0));
    guard.cool(0);
    guard.assert_given_back();
    guard.wait_state(0, "normal");
}

/// Also at the rung that holds it, this GPU never gets down to safe.
#[test]
fn a_gpu_that_settles_between_safe_and_alert_returns_to_normal() {
    let settled = ["load=0.6", "inlet=42.7", "airflow=1"];
    let machine = Machine::warm(&["a100-80gb"], &settled);
    machine.ctl(&["limit", "390.5"]);
    let guard = Guard::started(machine, 40, CONFIG);
    guard.machine.ctl(&["set", "airflow=1.4"]);
    guard.wait_throttled(0);
    guard.machine.ctl(&[&["set"][..], &settled].concat());
    let eased = Instant::now();
    let mut coolest = f64::INFINITY;
    guard.wait_gpu(0, "given back", |card| {
        coolest = coolest.min(die(card));
        limit(card) == guard.original(0)
    });
    guard.wait_state(0, "normal");
    measured(
        "settled between safe and alert to normal, 40 times as fast",
        eased,
    );
    holds_for(Duration::from_secs(3), "normal, at full power", || {
        limit(&guard.machine.gpu(0)) == guard.original(0)
    });
    let rests = die(&guard.machine.gpu(0));
    tell(&format!(
        "it rests at {rests:.1} °C, at the coolest {coolest:.1} °C (safe 72, alert 78)"
    ));
    assert!(coolest > 72.0, "it never was safe");
    guard.assert_given_back();
}

#[test]
fn an_emergency_ends_although_the_plant_stays_above_safe_at_its_minimum_limit() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3", "inlet=40"]);
    machine.ctl(&["limit", "390.5"]);
    let guard = Guard::started(
        machine,
        25,
        "{ policy: { recovery_delay: 10s }, actuators: { power_limit: { gradual_floor: 0.8 } } }",
    );
    // Faster than the ladder goes down, with the hardware's own slowdown beside it.
    guard
        .machine
        .ctl(&["set", "load=1", "inlet=75", "airflow=1"]);
    guard.wait_state(0, "emergency");
    let card = guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    assert_eq!(limit(&card), 100.0);
    // At 100 W now: 75 °C and more, above safe (72), below alert (78).
    guard.machine.ctl(&["set", "inlet=61"]);
    let held = Instant::now();
    guard.wait_state(0, "gradual");
    measured("emergency to gradual above safe, 25 times as fast", held);
    let card = guard.machine.gpu(0);
    tell(&format!(
        "emergency ended at {:.1} °C (safe 72, alert 78)",
        die(&card)
    ));
    assert!(die(&card) > 72.0, "{card:#}");
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn without_permission_it_exports_in_full_says_so_once_and_protects_once_it_may() {
    let machine = Machine::warm(&["l40s"], &WORKING);
    machine.ctl(&["limit", "340.5"]);
    machine.ctl(&["fault", "no-permission"]);
    let guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    let asked_twice = |_: &_| actions(&guard, "no_permission") >= 2.0;
    guard.wait("asked again", asked_twice);
    // The condition scraped after what `wait` returns.
    let metrics = guard.metrics();
    assert_eq!(
        metrics.of(0, "thermal_guard_cannot_actuate", &[]),
        Some(1.0)
    );
    assert_eq!(guard.logged(&["no permission to actuate"]).len(), 1);
    assert_ne!(metrics.state(0), Some("normal"), "it says what it would do");
    for reading in [
        "thermal_guard_gpu_temperature_celsius",
        "thermal_guard_gpu_power_draw_watts",
        "thermal_guard_gpu_power_limit_watts",
        "thermal_guard_gpu_energy_joules_total",
        "thermal_guard_margin_to_alert_celsius",
        "thermal_guard_trip_celsius",
        "thermal_guard_action_power_limit_target_watts",
    ] {
        assert!(metrics.of(0, reading, &[]).is_some(), "{reading}");
    }
    assert_eq!(limit(&guard.machine.gpu(0)), guard.original(0));

    guard.machine.ctl(&["fault", "none"]);
    guard.wait_throttled(0);
    guard.wait("may actuate", |metrics| {
        metrics.of(0, "thermal_guard_cannot_actuate", &[]) == Some(0.0)
    });
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn without_a_driver_it_serves_and_finds_one_that_comes_later() {
    let machine = Machine::without_driver();
    let mut guard = Guard::new(machine, 20, CONFIG);
    guard.launch();
    let metrics = guard.metrics();
    assert_eq!(metrics.get("thermal_guard_nvml_up", &[]), Some(0.0));
    assert_eq!(metrics.get("thermal_guard_gpu_up", &[]), None);
    assert!(guard.get("/-/ready").is_err());
    assert_eq!(guard.status()["driver"]["up"], false);

    guard
        .machine
        .install(&["a100-80gb"], &["--time-scale", "20"]);
    let installed = Instant::now();
    let metrics = guard.wait("a driver", |metrics| {
        metrics.get("thermal_guard_nvml_up", &[]) == Some(1.0)
            && metrics.of(0, "thermal_guard_gpu_up", &[]) == Some(1.0)
    });
    measured("driver installed to GPU under guard", installed);
    assert!(installed.elapsed() < PATIENCE);
    assert!(
        metrics
            .of(0, "thermal_guard_gpu_temperature_celsius", &[])
            .is_some()
    );
    assert!(guard.get("/-/ready").is_ok());
    guard.originals_are_now(&[400.0]);
    guard.heat(0);
    guard.wait_throttled(0);
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn nothing_is_written_to_a_gpu_that_stays_cool() {
    let machine = Machine::warm(&["a100-80gb", "rtx-4090"], &["load=0.6"]);
    machine.ctl(&["limit", "--gpu", "0", "273.5"]);
    let before: Vec<_> = (0..2).map(|gpu| writes(&machine.gpu(gpu))).collect();
    let mut guard = Guard::started(machine, 20, CONFIG);
    guard.wait("a minute of the plant", |metrics| {
        metrics
            .of(0, "thermal_guard_poll_duration_seconds", &[])
            .is_some()
    });
    holds_for(Duration::from_secs(3), "normal", || {
        guard.metrics().state(0) == Some("normal")
    });
    assert_eq!(guard.stop(), Some(0));
    let after: Vec<_> = (0..2).map(|gpu| writes(&guard.machine.gpu(gpu))).collect();
    assert_eq!(before, after);
    guard.assert_given_back();
}
