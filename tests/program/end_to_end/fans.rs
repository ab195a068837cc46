//! Fans: what the card tells of them, and one that leaves a hot card alone.

use std::env;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// Nothing is throttled, so that the card stays hot.
const WATCHING: &str =
    "actuators: { power_limit: { enabled: false }, gpu_clock: { enabled: false } }";

/// Plant and guard, times as fast as the wall.
const SCALE: u32 = 10;

fn hot(changes: &[&str]) -> Machine {
    let machine = Machine::create(&["rtx-6000-ada"], &["--time-scale", "0"]);
    machine.ctl(&["set", "load=1", "inlet=50"]);
    machine.ctl(&["advance", "1200"]);
    if !changes.is_empty() {
        machine.ctl(&[&["fans"][..], changes].concat());
    }
    machine
}

#[test]
fn a_fan_stuck_at_53_percent_on_a_hot_card_is_told_everywhere() {
    let machine = hot(&[]);
    let guard = Guard::started(machine, SCALE, WATCHING);
    let fan = [("fan", "0")];
    let suspect = "thermal_guard_fan_suspect";
    let metrics = guard.wait("a fan that is well", |metrics| {
        metrics.of(0, suspect, &fan) == Some(0.0)
    });
    let read = |name: &str| metrics.of(0, name, &fan).unwrap();
    assert!(read("thermal_guard_gpu_fan_speed_ratio") > 0.9);
    assert!(read("thermal_guard_gpu_fan_target_speed_ratio") > 0.9);
    assert!(read("thermal_guard_gpu_fan_speed_rpm") > 2700.0);
    let policy = |name| {
        let labels = [("fan", "0"), ("policy", name)];
        metrics.of(0, "thermal_guard_gpu_fan_policy", &labels)
    };
    let policies = [policy("automatic"), policy("manual")];
    assert_eq!(policies, [Some(1.0), Some(0.0)]);

    guard.machine.ctl(&["fans", "stuck=53"]);
    guard.wait("a suspect fan", |metrics| {
        metrics.of(0, suspect, &fan) == Some(1.0)
    });
    let status = guard.status();
    let told = &status["gpus"][0];
    assert_eq!(told["fans"][0]["suspect"], "stuck");
    assert_eq!(told["fans"][0]["speed_ratio"], 0.53);
    let why = told["why"].as_str().unwrap();
    assert!(why.contains("fan 0 stays under 70 %"), "{why}");
    assert!(guard.get("/").unwrap().contains("fan 0 stays under 70 %"));
    let url = format!("--url={}", guard.url(""));
    let board = String::from_utf8(guard.run("status", &[&url]).stdout).unwrap();
    assert!(board.contains("fan 0 stays under 70 %"), "{board}");
    let text = String::from_utf8(guard.run("check", &[&url]).stdout).unwrap();
    let said = |what: &str| {
        let line = text.lines().find(|line| line.contains(what));
        let line = line.unwrap_or_else(|| panic!("{what}: {text}"));
        assert!(
            line.starts_with("warn") && line.contains("fan 0 stays"),
            "{line}"
        );
    };
    // By the guard that runs, and by a look of its own.
    said("gpu 0 running guard");
    said("gpu 0 fans");
    let own = text.lines().find(|line| line.contains("gpu 0 fans"));
    assert!(own.unwrap().contains("LACT"), "the remedy: {text}");
    let began = events(&status, "trouble_began");
    assert_eq!(began, ["fan 0: stuck"]);
    assert_eq!(guard.logged(&["fan 0 stays under 70 %"]).len(), 1);

    guard.machine.ctl(&["fans", "none"]);
    guard.wait("a fan that is well again", |metrics| {
        metrics.of(0, suspect, &fan) == Some(0.0)
    });
    assert_eq!(events(&guard.status(), "trouble_ended"), ["fan 0: stuck"]);
}

/// Details of the events about fans.
fn events(status: &Value, kind: &str) -> Vec<String> {
    let all = status["events"].as_array().unwrap().iter();
    let fans = all.filter(|it| it["event"] == kind && it["trouble"] == "fan_suspect");
    fans.map(|it| it["detail"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_fan_that_another_program_has_set_is_shown_as_manual() {
    let machine = hot(&["set=80"]);
    let guard = Guard::started(machine, SCALE, WATCHING);
    let labels = [("fan", "0"), ("policy", "manual")];
    let metrics = guard.wait("a manual fan", |metrics| {
        metrics.of(0, "thermal_guard_gpu_fan_policy", &labels) == Some(1.0)
    });
    let speed = metrics.of(0, "thermal_guard_gpu_fan_speed_ratio", &[("fan", "0")]);
    assert_eq!(speed, Some(0.8));
    let suspect = metrics.of(0, "thermal_guard_fan_suspect", &[("fan", "0")]);
    assert_eq!(suspect, Some(0.0));
}

#[test]
fn a_card_that_tells_less_of_its_fans_has_fewer_series_and_one_without_fans_none() {
    let machine = Machine::create(&["rtx-4090", "h100"], &[]);
    for call in ["fan-rpm", "fan-target", "fan-policy"] {
        machine.ctl(&["answer", "--gpu", "0", call, "3"]);
    }
    let guard = Guard::started(machine, SCALE, "");
    let metrics = guard.wait("the fans of the first card", |metrics| {
        metrics
            .of(0, "thermal_guard_fan_suspect", &[("fan", "1")])
            .is_some()
    });
    for name in ["speed_rpm", "target_speed_ratio", "policy"] {
        let name = format!("thermal_guard_gpu_fan_{name}");
        assert_eq!(metrics.of(0, &name, &[("fan", "0")]), None, "{name}");
    }
    for name in [
        "thermal_guard_fan_suspect",
        "thermal_guard_gpu_fan_speed_ratio",
    ] {
        assert_eq!(metrics.of(1, name, &[]), None, "{name}");
    }
}

/// Times as fast as the wall: a guard that is late for a second there still is in time here.
const PACE: u32 = 20;

/// So long cards are compared, in minutes of theirs. `make fan-figures` takes two hours.
const MINUTES: &str = "THERMAL_GUARD_FAN_MINUTES";
const FEW: u64 = 12;

/// What operators are promised, and the alert of the card: 7 °C under its maximum.
const WORK_LOST: f64 = 0.005;
const OVERSHOOT: f64 = 1.5;
const ALERT: f64 = 84.0;

/// Fans that obey the guard, fans that are always at full speed, and fans that are left alone.
const TRIED: &str = "0";
const FULL: &str = "1";

fn minutes() -> u64 {
    env::var(MINUTES).map_or(FEW, |text| text.parse().unwrap())
}

/// The work of each card since `before`.
fn work(guard: &Guard, before: &[f64]) -> Vec<f64> {
    let machine = guard.machine.show();
    let cards = machine["gpus"].as_array().unwrap().iter();
    let done = cards.map(|card| card["work_done"].as_f64().unwrap());
    done.zip(before).map(|(now, before)| now - before).collect()
}

#[test]
fn full_fans_before_a_watt_is_cut_cost_no_work_beside_fans_that_are_always_full() {
    let machine = Machine::create(&["rtx-6000-ada"; 3], &["--time-scale", "0"]);
    machine.ctl(&["fans", "top=30", "cools"]);
    machine.ctl(&["fans", "--gpu", FULL, "set=100"]);
    // Its quiet curve ends where the card would slow itself down; at full speed it rests near 70 °C.
    machine.ctl(&["set", "load=1", "inlet=35"]);
    let config = format!("gpus: [{TRIED}]\nactuators: {{ fan: {{ enabled: true }} }}");
    let guard = Guard::started(machine, PACE, &config);
    let before = work(&guard, &[0.0; 3]);
    guard.wait_gpu(0, "full fans", |card| {
        card["fans"]["each"][0]["manual_percent"] == 100
    });
    let elapsed = || guard.machine.show()["elapsed_seconds"].as_f64().unwrap();
    let end = elapsed() + 60.0 * minutes() as f64;
    let mut hottest = f64::NEG_INFINITY;
    while elapsed() < end {
        hottest = hottest.max(guard.machine.gpu(0)["die"].as_f64().unwrap());
        thread::sleep(Duration::from_millis(200));
    }
    let [tried, full, alone] = work(&guard, &before)[..] else {
        panic!("three cards")
    };
    let (lost, over) = (1.0 - tried / full, hottest - ALERT);
    tell(&format!(
        "fans first over NVML: work lost {:.3} %, {over:+.2} °C over alert, in {} minutes; left alone {:.1} %",
        lost * 100.0,
        minutes(),
        (1.0 - alone / full) * 100.0
    ));
    let card = guard.machine.gpu(0);
    assert!(lost <= WORK_LOST && over <= OVERSHOOT, "{lost} {over}");
    assert_eq!(card["limit_writes"], 0, "{card:#}");
    // The control: without the guard, the card slows itself down.
    assert!(alone < full * (1.0 - 2.0 * WORK_LOST), "{alone} of {full}");
    guard.cool(0);
    guard.wait_gpu(0, "the fans' own curve", |card| {
        card["fans"]["each"][0]["manual_percent"].is_null()
    });
}
