//! The real pair at Prometheus' own resend delay, of a minute: what most people run, and every
//! operator of Kubernetes. A healthy chain is `ok` all the time there as well.

use std::time::{Duration, Instant};

use crate::common::chain::{Chain, Setup, Timing};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;
use crate::common::wait::holds_for;

/// The shipped intervals; the rules' windows don't matter here.
const TIMING: Timing = Timing::SHIPPED;

/// Two resends, and the half of a third.
const WATCHED: Duration = Duration::from_secs(150);

fn is_ok(guard: &Guard) -> bool {
    guard.metrics().chain() == Some("ok")
}

fn stays_ok(guard: &Guard, by: &str) {
    let began = Instant::now();
    guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    holds_for(WATCHED, by, || is_ok(guard));
    let timeout = guard
        .metrics()
        .get("thermal_guard_heartbeat_timeout_seconds", &[])
        .unwrap_or(0.0);
    tell(&format!(
        "resend delay of a minute, {by}: ok for {:.0} s, timeout {timeout:.0} s",
        began.elapsed().as_secs_f64()
    ));
    assert!(
        (170.0..=260.0).contains(&timeout),
        "three times a resend: {timeout} s"
    );
}

#[test]
fn a_chain_that_resends_once_a_minute_is_ok_by_hook() {
    needs!("prometheus", "prometheus-alertmanager");
    let machine = Machine::create(&["a100-80gb"], &[]);
    let guard = Guard::started(machine, 1, "");
    let setup = Setup {
        default_resend_delay: true,
        ..Setup::default()
    };
    let _chain = Chain::start_with(guard.address(), &guard.token_file(), TIMING, &setup);
    stays_ok(&guard, "by hook");
}

#[test]
fn a_chain_that_resends_once_a_minute_is_ok_by_pull() {
    needs!("prometheus", "prometheus-alertmanager");
    let setup = Setup {
        default_resend_delay: true,
        ..Setup::default()
    };
    let config = format!(
        "alertmanager: {{ url: \"http://127.0.0.1:{}\" }}",
        setup.alertmanagers[0]
    );
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 1, &config);
    // No token of this guard's: its hook hears nothing.
    let nobodys = guard.path("nobodys-token");
    std::fs::write(&nobodys, "not-the-token").expect("a file");
    let _chain = Chain::start_with(guard.address(), &nobodys, TIMING, &setup);
    stays_ok(&guard, "by pull");
}
