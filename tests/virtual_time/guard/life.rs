//! The whole guard: without its lock, after a dead one, and after a panic.

use thermal_guard::device::CriticalError;
use thermal_guard::guard::{Guard, Plan};
use thermal_guard::policy::Settings;

use super::*;

/// Without the lock a guard can't know that no other guard has it.
#[test]
fn a_hot_gpu_whose_lock_cannot_be_had_is_watched_and_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("locks");
    fs::write(&in_the_way, "in the way").unwrap();
    let rack = rack("a100-80gb");
    let hot = Conditions::full_load(Celsius::new(60.0));
    rack.card(0).set_timeline(Box::new(move |_| hot));
    let shared = Arc::new(shared(Live::default(), 50.0));
    let plan = Plan {
        driver: Arc::new(rack.clone()),
        state_dir: Some(dir.path().to_owned()),
        lock_dir: Some(in_the_way),
    };
    let guard = Guard::start(plan, shared.clone()).unwrap();
    let throttled = || {
        let gpu_handle = shared.gpu_handles().into_iter().next();
        let tick = gpu_handle.and_then(|gpu_handle| gpu_handle.latest());
        tick.filter(|tick| tick.decision.targets.limit.is_some())
    };
    let deadline = shared.clock.wall() + Duration::from_secs(20);
    while throttled().is_none() && shared.clock.wall() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    let tick = throttled().expect("it is seen, and what would be done");
    assert_eq!(tick.permission, Permission::Denied);
    assert!(guard.stop());
    assert_eq!(rack.card(0).limit, W(400));
    assert_eq!(rack.card(0).gpu_clock, None);
}

#[test]
fn what_a_dead_guard_left_on_a_gpu_no_longer_configured_is_given_back() {
    let (state, locks) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rack = rack("a100-80gb");
    let uuid = rack.card(0).uuid().clone();
    let mut claim = Claim::default();
    claim.writing(W(400), W(300));
    rack.card(0).limit = W(300);
    let left = Entry {
        uuid: uuid.clone(),
        claim,
        boot_id: journal::boot_id(),
        energy_millijoules: None,
        locks: ByClock::default(),
        confirmed: true,
        reason: journal::Reason::default(),
        since: None,
    };
    Journal::open(&JournalDirs::only(state.path()), &uuid)
        .record(left)
        .unwrap();
    let live = Live {
        settings: Settings {
            recovery_delay: Duration::ZERO,
            ..Settings::default()
        },
        gpus: GpuSelection::Listed(vec![GpuRef::Index(7)]),
        ..Live::default()
    };
    let shared = Arc::new(shared(live, 50.0));
    let plan = Plan {
        driver: Arc::new(rack.clone()),
        state_dir: Some(state.path().to_owned()),
        lock_dir: Some(locks.path().to_owned()),
    };
    let guard = Guard::start(plan, shared.clone()).unwrap();
    let deadline = shared.clock.wall() + Duration::from_secs(5);
    let given_back = || rack.card(0).limit == W(400) && shared.gpu_handles().is_empty();
    while !given_back() && shared.clock.wall() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(rack.card(0).limit, W(400));
    assert!(shared.gpu_handles().is_empty(), "and then let go of");
    assert!(guard.stop());
}

#[test]
fn a_control_loop_that_panics_is_started_anew_and_goes_on_with_what_it_held() {
    panic_while_throttled(false);
}

#[test]
fn what_a_panicking_loop_held_is_known_even_if_the_disk_refused_it() {
    panic_while_throttled(true);
}

fn panic_while_throttled(disk_refuses: bool) {
    let (state, locks) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let in_the_way = state.path().join("gpus");
    if disk_refuses {
        // The spare does, too.
        fs::write(locks.path().join("gpus"), "in the way").unwrap();
        fs::write(&in_the_way, "in the way").unwrap();
    }
    let rack = rack("a100-80gb");
    rack.card(0).limit = W(390);
    let hot = Conditions::full_load(Celsius::new(60.0));
    rack.card(0).set_timeline(Box::new(move |_| hot));
    let script = Arc::new(Mutex::new(Script::default()));
    let shared = Arc::new(shared(Live::default(), 50.0));
    let plan = Plan {
        driver: Arc::new(ScriptedDriver(rack.clone(), script.clone())),
        state_dir: Some(state.path().to_owned()),
        lock_dir: Some(locks.path().to_owned()),
    };
    let guard = Guard::start(plan, shared.clone()).unwrap();
    let wait = |what: &str, holds: &dyn Fn() -> bool| {
        let deadline = shared.clock.wall() + Duration::from_secs(20);
        while !holds() {
            assert!(shared.clock.wall() < deadline, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    wait("throttled", &|| rack.card(0).limit < W(390));
    let gpu_handle = shared.gpu_handles().remove(0);
    let events = gpu_handle.latest().unwrap().counters.throttle_events();
    let code = 79;
    shared.report_xid(&CriticalError {
        uuid: gpu_handle.identity.uuid.clone(),
        code,
    });
    let latest = || gpu_handle.latest().unwrap();
    wait("counted", &|| latest().counters.xids.contains_key(&code));
    script.lock().unwrap().blunder = true;
    wait("restarted", &|| gpu_handle.panics() == 1);
    let panicked = shared.clock.wall();
    wait("it ticks again, and holds what it held", &|| {
        let tick = gpu_handle.latest().unwrap();
        let claim = tick.claim.limit.map(|ours| ours.original);
        tick.at > panicked && claim == Some(W(390))
    });
    assert!(rack.card(0).limit < W(390));
    assert!(gpu_handle.latest().unwrap().counters.throttle_events() >= events);
    let told = shared.events.recent();
    let told = told
        .iter()
        .filter(|event| matches!(event.what, What::Xid { .. }));
    assert_eq!(told.count(), 1, "what was counted before is no news");
    if disk_refuses {
        fs::remove_file(&in_the_way).unwrap();
        let uuid = &gpu_handle.identity.uuid;
        let dirs = JournalDirs::only(state.path());
        let known = || matches!(journal::load(&dirs, uuid), Ok(Some(_)));
        wait("on disk at last", &known);
    }
    rack.card(0).set_timeline(Box::new(|_| Conditions {
        load: Load::IDLE,
        ..Conditions::full_load(Celsius::new(18.0))
    }));
    wait("given back exactly", &|| rack.card(0).limit == W(390));
    assert!(guard.stop());
}
