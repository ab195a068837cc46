//! A driver that hangs while the guard is told to stop, one that isn't installed yet, and a card
//! that shows no temperature any more.

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use crate::common::card::{limit, writes};
use crate::common::delivery::delivery;
use crate::common::figures::measured;
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::Machine;
use crate::common::nvml_sim::library;
use crate::common::wait::{PATIENCE, holds_for, wait_until};

const CONFIG: &str = "policy: { recovery_delay: 10s }";

#[test]
fn a_stop_beside_a_hung_gpu_ends_and_gives_the_other_back() {
    let machine = Machine::warm(&["a100-80gb", "h100"], &["load=0.3"]);
    machine.ctl(&["limit", "--gpu", "0", "273.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    guard.machine.ctl(&["fault", "--gpu", "1", "hang"]);
    guard.wait("hung", |metrics| {
        metrics.of(1, "thermal_guard_gpu_hung", &[]) == Some(1.0)
    });
    let asked = Instant::now();
    let emergency = delivery("firing", "emergency", 0, SystemTime::now());
    assert_eq!(guard.hook(&emergency), 200);
    measured("a delivery beside a hung GPU", asked);
    guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    let stopped = Instant::now();
    assert_eq!(guard.stop(), Some(0));
    measured("SIGTERM to the end beside a hung GPU", stopped);
    assert!(
        stopped.elapsed() < Duration::from_secs(30),
        "systemd waits 90 s"
    );
    let card = guard.machine.gpu(0);
    assert_eq!(limit(&card), 273.5);
    assert!(card["sm_lock_mhz"].is_null());
    assert!(!guard.logged(&["left behind"]).is_empty());
}

#[test]
fn a_library_that_is_installed_later_is_found() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    let mut guard = Guard::new(machine, 20, CONFIG);
    let late = guard.path("libnvidia-ml.so.1");
    guard.library_is_at(late.clone());
    guard.launch();
    let up = |guard: &Guard| guard.metrics().get("thermal_guard_nvml_up", &[]);
    assert_eq!(up(&guard), Some(0.0));
    let before = writes(&guard.machine.gpu(0));
    // At once, as by a package: half a library would be loaded, too.
    let unpacked = guard.path("unpacked");
    fs::copy(library(), &unpacked).unwrap();
    fs::rename(unpacked, &late).unwrap();
    guard.wait("found", |metrics| {
        metrics.of(0, "thermal_guard_gpu_up", &[]) == Some(1.0)
    });
    assert_eq!(up(&guard), Some(1.0));
    holds_for(Duration::from_secs(1), "untouched", || {
        writes(&guard.machine.gpu(0)) == before
    });
    guard.heat(0);
    guard.machine.ctl(&["set", "inlet=60"]);
    guard.wait_throttled(0);
}

#[test]
fn a_card_that_shows_no_temperature_any_more_is_capped_until_it_is_trusted_again() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "390.5"]);
    let app = Listener::obedient();
    let config = format!(
        "{CONFIG}\napps: [{{ name: app, http: {{ url: 'http://{}/mode?mode={{mode}}' }} }}]",
        app.address
    );
    let guard = Guard::started(machine, 20, &config);
    let slow = "POST /mode?mode=gradual".to_owned();
    let told = || {
        let all = app.requests();
        all.iter().filter(|request| **request == slow).count()
    };
    // First only the temperature fails, then all readings: then the limit is unknown as well.
    let faults = [
        "unsupported:temperature,memory-temperature,margin",
        "failing-reads",
    ];
    for (before, fault) in faults.into_iter().enumerate() {
        guard.machine.ctl(&["fault", fault]);
        guard.wait_state(0, "blind");
        // 0.48 of the default limit.
        guard.wait_gpu(0, "capped", |card| limit(card) <= 192.0);
        assert!(wait_until(PATIENCE, || told() > before), "{fault}");
        holds_for(Duration::from_secs(2), "not raised", || {
            limit(&guard.machine.gpu(0)) <= 192.0
        });
        guard.machine.ctl(&["fault", "none"]);
        guard.assert_given_back();
    }
}
