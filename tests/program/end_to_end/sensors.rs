//! Sensors in files: the real program reads them beside the simulated cards, and acts on NVML.

use std::fs;
use std::time::Duration;

use crate::common::card::{limit, writes};
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::wait::holds_for;

/// A warm card with a lot of room, and a file in the manner of a driver that tells temperatures
/// under `/proc/driver/nvidia`: the third field.
fn guard(temperature: &str) -> Guard {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.8", "airflow=0.7"]);
    machine.ctl(&["limit", "390.5"]);
    let config = "
policy: { recovery_delay: 5s }
sensors:
  - { name: driver, file: temperatures-gpu, unit: celsius, field: 3, critical: 85 }
";
    let guard = Guard::new(machine, 20, config);
    say(&guard, temperature);
    guard
}

fn say(guard: &Guard, temperature: &str) {
    let new = guard.path("new");
    fs::write(&new, format!("GPU 0: {temperature} C\n")).unwrap();
    fs::rename(new, guard.path("temperatures-gpu")).unwrap();
}

#[test]
fn a_hot_file_throttles_a_lost_one_holds_and_a_cool_one_gives_back() {
    let mut guard = guard("60");
    guard.start();
    let metrics = guard.wait("the sensor", |metrics| {
        metrics.of(0, "thermal_guard_sensor_celsius", &[("sensor", "driver")]) == Some(60.0)
    });
    let up = [("sensor", "driver")];
    assert_eq!(metrics.of(0, "thermal_guard_sensor_up", &up), Some(1.0));
    assert_eq!(writes(&guard.machine.gpu(0)), 0);

    say(&guard, "79");
    guard.wait_throttled(0);
    let status = guard.status();
    let sensor = &status["gpus"][0]["sensors"][0];
    assert_eq!(sensor["celsius"], 79.0, "{status:#}");
    assert_eq!(sensor["alert_celsius"], 78.0);
    let core = status["gpus"][0]["temperature_celsius"].as_f64().unwrap();
    assert!(core < 70.0, "its own sensor would not have throttled it");

    fs::remove_file(guard.path("temperatures-gpu")).unwrap();
    guard.wait("doubt", |metrics| {
        metrics.of(0, "thermal_guard_sensor_up", &up) == Some(0.0)
            && metrics.of(0, "thermal_guard_sensor_celsius", &up).is_none()
            && metrics.of(0, "thermal_guard_sensor_doubt", &[("doubt", "probe")]) == Some(1.0)
    });
    let held = limit(&guard.machine.gpu(0));
    // A minute and more of the guard's: many recovery delays.
    holds_for(Duration::from_secs(3), "held", || {
        limit(&guard.machine.gpu(0)) <= held
    });
    assert_eq!(guard.logged(&["sensor lost", "driver"]).len(), 1);

    say(&guard, "60");
    guard.wait_state(0, "normal");
    guard.assert_given_back();
    assert_eq!(guard.logged(&["sensor is back"]).len(), 1);
    assert_eq!(guard.stop(), Some(0));
}

#[test]
fn a_clean_stop_keeps_the_cap_while_the_file_is_hot_and_restore_reads_it_too() {
    let mut guard = guard("80");
    guard.start();
    guard.wait_throttled(0);
    assert_eq!(guard.stop(), Some(0));
    assert_eq!(guard.journals(), 1, "left capped");
    let kept = guard.run("restore", &["--wait=0s"]);
    assert_eq!(kept.status.code(), Some(1));
    fs::remove_file(guard.path("temperatures-gpu")).unwrap();
    let lost = guard.run("restore", &["--wait=0s"]);
    assert_eq!(lost.status.code(), Some(1), "{lost:?}");
    say(&guard, "40");
    let given_back = guard.run("restore", &["--wait=0s"]);
    assert_eq!(given_back.status.code(), Some(0), "{given_back:?}");
    guard.assert_given_back();
}

#[test]
fn check_says_what_a_sensor_says() {
    let guard = guard("60");
    let lines = |expected: i32| {
        let output = guard.run("check", &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(expected), "{text}");
        text.lines()
            .find(|line| line.contains(" sensor "))
            .unwrap()
            .to_owned()
    };
    assert!(
        lines(0).starts_with("ok") && lines(0).contains("driver: 60.0 °C"),
        "{}",
        lines(0)
    );
    say(&guard, "80");
    assert!(lines(0).starts_with("warn"), "{}", lines(0));
    say(&guard, "N/A");
    let garbled = lines(1);
    assert!(
        garbled.starts_with("fail") && garbled.contains("field 3"),
        "{garbled}"
    );
    assert!(
        !garbled.contains("N/A"),
        "it doesn't repeat what may be a secret"
    );
    fs::remove_file(guard.path("temperatures-gpu")).unwrap();
    assert!(lines(1).contains("No such file"), "{}", lines(1));
}
