//! The watchdog, over a real socket. Where systemd listens stands in the environment, of which a
//! process has one: each guard runs in a process of its own.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

use std::env;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::{Arc, Mutex};

use tokio::time::sleep;

use crate::clock::Clock;
use crate::device::Identity;
use crate::guard::Plan;
use crate::guard::state::{Applications, Live};
use crate::policy::ask::chain::Expected;
use crate::policy::{AppMode, Chain};
use crate::sim::card::{Card, Conditions, Rack};
use crate::sim::plant::Load;
use crate::sim::profile;
use crate::units::{Celsius, Moment};

use super::*;

/// Shorter than the poll interval: a loop that rests is not stuck.
const DEADLINE: Duration = Duration::from_millis(800);

/// Set in the guard's process.
const TROUBLE: &str = "THERMAL_GUARD_TEST_TROUBLE";

#[derive(Clone, Copy)]
enum Trouble {
    None,
    /// The driver doesn't come back.
    Driver,
    /// The loop waits for something else that doesn't come.
    Elsewhere,
}

#[test]
fn a_loop_that_goes_on_feeds_the_watchdog() {
    let feeds = feeds_in("a_loop_that_goes_on_feeds_the_watchdog", Trouble::None);
    assert!(feeds.is_none_or(|feeds| feeds >= 4), "{feeds:?}");
}

#[test]
fn a_loop_inside_a_hung_driver_feeds_the_watchdog() {
    let feeds = feeds_in(
        "a_loop_inside_a_hung_driver_feeds_the_watchdog",
        Trouble::Driver,
    );
    assert!(feeds.is_none_or(|feeds| feeds >= 4), "{feeds:?}");
}

#[test]
fn a_loop_stuck_elsewhere_does_not_feed_the_watchdog() {
    let feeds = feeds_in(
        "a_loop_stuck_elsewhere_does_not_feed_the_watchdog",
        Trouble::Elsewhere,
    );
    assert!(feeds.is_none_or(|feeds| feeds == 0), "{feeds:?}");
}

/// How often the watchdog was fed in the two deadlines after the one in which the trouble began.
/// `None` in the guard's own process.
fn feeds_in(test: &str, trouble: Trouble) -> Option<usize> {
    if env::var_os(TROUBLE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        runtime.block_on(guard(trouble));
        return None;
    }
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE * 20)).unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", &format!("cli::serve::systemd::tests::{test}")])
        .env(TROUBLE, "yes")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", DEADLINE.as_micros().to_string())
        .env_remove("WATCHDOG_PID")
        .spawn()
        .unwrap();
    let told_until = |last: &str| {
        let told = std::iter::repeat_with(|| {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
        });
        told.take_while(|told| told != last).collect::<Vec<_>>()
    };
    let before = told_until("STATUS=troubled");
    assert!(before.iter().any(|told| told == "READY=1"), "{before:?}");
    assert!(before.iter().any(|told| told == "WATCHDOG=1"), "{before:?}");
    let troubled = told_until("STATUS=over");
    assert!(child.wait().unwrap().success());
    Some(troubled.iter().filter(|told| *told == "WATCHDOG=1").count())
}

/// Applications that answer a worker once their lock is free.
struct Answering(Arc<Mutex<()>>);

impl Applications for Answering {
    fn tell(&self, _: &Arc<Identity>, _: AppMode) -> bool {
        self.0.lock().is_ok()
    }

    fn list(&self, _: &[Arc<Identity>]) {}
}

/// A guard over one simulated card, well at first.
async fn guard(trouble: Trouble) {
    let clock = Clock::start(1.0);
    let idle = Conditions {
        load: Load::IDLE,
        ..Conditions::full_load(Celsius::new(20.0))
    };
    let card = Card::new(&profile::A100_80GB, 0, Box::new(move |_| idle));
    let rack = Rack::new(vec![card], move || clock.now());
    let apps = Arc::new(Mutex::new(()));
    let answer = apps.clone();
    let chain = Chain::new(Expected::Auto, None, Moment::START);
    let shared = Shared::new(clock, chain, Live::default()).with_apps(Arc::new(Answering(answer)));
    let shared = Arc::new(shared);
    let plan = Plan {
        driver: Arc::new(rack.clone()),
        state_dir: None,
        lock_dir: None,
    };
    Service::set_watchdog(&shared);
    let guard = Guard::start(plan, shared.clone()).unwrap();
    let _service = Service::start(&guard);
    sleep(DEADLINE * 2).await;
    {
        let _card = matches!(trouble, Trouble::Driver).then(|| rack.card(0));
        let _apps = matches!(trouble, Trouble::Elsewhere).then(|| apps.lock());
        // A rest of a second, half a deadline of patience, and as much again and more where the
        // machine is busy.
        sleep(Duration::from_secs(1) + DEADLINE * 2).await;
        tell(&[NotifyState::Status("troubled")]);
        sleep(DEADLINE * 2).await;
        tell(&[NotifyState::Status("over")]);
    }
    assert!(guard.stop());
}
