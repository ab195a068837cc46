//! Starts, stops, crashes and reloads; and messages that come at the wrong time.

use std::time::{Duration, Instant, SystemTime};

use crate::common::card::limit;
use crate::common::delivery::delivery;
use crate::common::figures::measured;
use crate::common::guard::Guard;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::holds_for;

const CONFIG: &str = "policy: { recovery_delay: 10s }";

#[test]
fn a_guard_killed_in_mid_throttle_goes_on_when_started_again_and_gives_back() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "392.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    guard.wait_throttled(0);
    guard.kill();
    let left = limit(&guard.machine.gpu(0));
    assert!(left < guard.original(0), "the limit outlives the guard");

    guard.start();
    let metrics = guard.wait_state(0, "gradual");
    assert_eq!(
        metrics.throttles(0, "local"),
        0.0,
        "it goes on, it doesn't begin"
    );
    assert_eq!(guard.status()["gpus"][0]["limit"]["original"], 392.5);
    holds_for(Duration::from_secs(2), "held", || {
        limit(&guard.machine.gpu(0)) < guard.original(0)
    });
    guard.cool(0);
    guard.assert_given_back();
}

#[test]
fn a_stop_while_hot_leaves_the_cap_and_restore_gives_it_back_once_cool() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "392.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    guard.heat(0);
    guard.wait_throttled(0);
    let stopped = Instant::now();
    assert_eq!(guard.stop(), Some(0));
    measured("SIGTERM to the end", stopped);
    let capped = limit(&guard.machine.gpu(0));
    assert!(capped < guard.original(0), "hot, so capped");
    assert_eq!(guard.journals(), 1, "and journaled");
    assert_eq!(guard.logged(&["left capped"]).len(), 1);

    let refused = guard.run("restore", &["--wait=0s"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(limit(&guard.machine.gpu(0)), capped);
    guard.cool(0);
    let restored = guard.run("restore", &["--wait=60s"]);
    assert_eq!(restored.status.code(), Some(0), "{restored:?}");
    guard.assert_given_back();
}

#[test]
fn a_stop_while_cool_gives_back_at_once() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "273.5"]);
    let mut guard = Guard::started(machine, 20, CONFIG);
    assert_eq!(
        guard.hook(&delivery("firing", "emergency", 0, SystemTime::now())),
        200
    );
    guard.wait_gpu(0, "locked", |card| !card["sm_lock_mhz"].is_null());
    assert_eq!(limit(&guard.machine.gpu(0)), 100.0);
    assert_eq!(guard.stop(), Some(0));
    guard.assert_given_back();
}

#[test]
fn a_bad_file_keeps_the_old_configuration_and_a_good_one_takes_its_place() {
    let guard = Guard::started(Machine::warm(&["a100-80gb"], &["load=0.3"]), 20, CONFIG);
    let trip = |trip: &str| {
        let name = "thermal_guard_trip_celsius";
        guard.metrics().of(0, name, &[("trip", trip)])
    };
    let reloaded = |is: f64| {
        let name = "thermal_guard_config_last_reload_successful";
        guard.wait("reload", |metrics| metrics.get(name, &[]) == Some(is));
    };
    let all = || ["alert", "critical", "safe"].map(trip);
    let auto = [Some(78.0), Some(85.0), Some(72.0)];
    assert_eq!(all(), auto);

    guard.configure("{ thresholds: { alert: 60, critical: 67, safe: 54 }, polcy: {} }");
    guard.signal("HUP");
    reloaded(0.0);
    assert_eq!(all(), auto, "nothing of a bad file");
    assert_eq!(guard.logged(&["polcy"]).len(), 1, "the mistake is named");

    guard.configure("thresholds: { alert: 60, critical: 67, safe: 54 }");
    guard.signal("HUP");
    reloaded(1.0);
    guard.wait("new trips", |_| {
        all() == [Some(60.0), Some(67.0), Some(54.0)]
    });
    guard.assert_given_back();
}

#[test]
fn a_stale_firing_after_resolved_holds_no_longer_than_its_lease() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "380.5"]);
    let config = "{ policy: { recovery_delay: 10s }, hook: { lease: 3s } }";
    let guard = Guard::started(machine, 20, config);
    let starts = SystemTime::now();
    let post = |status| assert_eq!(guard.hook(&delivery(status, "gradual", 0, starts)), 200);
    let leases = |is: f64| {
        let name = "thermal_guard_leases";
        guard.wait("leases", |metrics| metrics.of(0, name, &[]) == Some(is));
    };
    post("firing");
    let posted = Instant::now();
    guard.wait_throttled(0);
    measured("delivery at the hook to limit on the GPU", posted);
    leases(1.0);
    let ended = |how: &str| {
        let name = "thermal_guard_lease_expirations_total";
        guard.metrics().get(name, &[("reason", how)])
    };
    post("resolved");
    leases(0.0);
    assert_eq!([ended("resolved"), ended("ttl")], [Some(1.0), Some(0.0)]);
    guard.assert_given_back();
    guard.wait_state(0, "normal");

    // As from a slow peer of a pair: the same alert once more, and nothing after it.
    post("firing");
    let posted = Instant::now();
    guard.wait_throttled(0);
    leases(1.0);
    leases(0.0);
    measured("stale firing to the end of its lease (3 s)", posted);
    assert_eq!([ended("resolved"), ended("ttl")], [Some(1.0), Some(1.0)]);
    guard.assert_given_back();
    guard.wait_state(0, "normal");
    assert_eq!(guard.metrics().throttles(0, "alert"), 2.0);
}
