//! The guard's hand on a GPU whose driver refuses, stumbles or is touched by others, and the
//! guard's life around it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod odd;

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use thermal_guard::clock::Clock;
use thermal_guard::config::{GpuRef, GpuSelection};
use thermal_guard::device::{
    Actuator, ActuatorError, ByClock, Cadence, ClockDomain, ClockRange, CriticalError, Driver,
    DriverError, Facts, FanSetting, Gpu, Identity, Reading, Sensor, Slow, Uuid, nvml,
};
use thermal_guard::events::What;
use thermal_guard::guard::actuate::actuation::Actuation;
use thermal_guard::guard::actuate::journal;
use thermal_guard::guard::actuate::journal::{Entry, Journal, JournalDirs};
use thermal_guard::guard::counters::Counters;
use thermal_guard::guard::gpu::worker::{Setup, Worker};
use thermal_guard::guard::outcomes::{Action, ActionResult};
use thermal_guard::guard::state::{Applications, Live, Shared};
use thermal_guard::guard::{Guard, Permission, Plan};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{AppMode, Chain, Claim, Settings, Targets};
use thermal_guard::sim::card::{Card, Conditions, Rack};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Megahertz, Moment, Watts};

const W: fn(u32) -> Watts = Watts::from_watts;

/// The answers of the driver to writes.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one way in which a driver can misbehave"
)]
struct Script {
    /// The answers to the next writes of a limit; after them, the card's own.
    limits: Vec<ActuatorError>,
    refuse_limit: Option<(Watts, ActuatorError)>,
    refuse_lock: Option<(ClockRange, ActuatorError)>,
    no_limits: bool,
    /// Writes are taken, and nothing is set.
    deaf: bool,
    refuse_reset: bool,
    /// The answer to the next question for a fan.
    odd_fan: Option<FanSetting>,
    /// What the next full reading says of the limit, and of the energy.
    odd_limit: Option<Watts>,
    odd_energy: Option<u64>,
    /// The slow part of the last full reading, as NVML's fast ones repeat it.
    slow: Option<Slow>,
    /// The next reading panics: a bug of the guard.
    blunder: bool,
    /// How the card was read.
    readings: Vec<Cadence>,
    /// Happens while the card is being closed.
    on_close: Option<Box<dyn FnOnce() + Send>>,
}

/// A simulated card behind a driver that follows the script.
struct Scripted {
    gpu: Box<dyn Gpu>,
    script: Arc<Mutex<Script>>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        let on_close = self.script.lock().unwrap().on_close.take();
        if let Some(on_close) = on_close {
            on_close();
        }
    }
}

impl Sensor for Scripted {
    fn identity(&self) -> &Arc<Identity> {
        self.gpu.identity()
    }

    fn facts(&self) -> &Arc<Facts> {
        self.gpu.facts()
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        let mut script = self.script.lock().unwrap();
        script.readings.push(cadence);
        let blunder = std::mem::take(&mut script.blunder);
        drop(script);
        assert!(!blunder, "planted");
        let mut reading = self.gpu.read(now, cadence);
        let mut script = self.script.lock().unwrap();
        reading.limit = script.odd_limit.take().map_or(reading.limit, Ok);
        if cadence == Cadence::Full {
            let odd = script.odd_energy.take();
            reading.slow.energy_millijoules = odd.or(reading.slow.energy_millijoules);
            script.slow = Some(reading.slow.clone());
        }
        reading.slow = script.slow.clone().unwrap_or(reading.slow);
        reading
    }
}

impl Actuator for Scripted {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.gpu.power_limit()
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        let mut script = self.script.lock().unwrap();
        if script.no_limits {
            return Err(ActuatorError::NoPermission);
        }
        if script.deaf {
            return Ok(());
        }
        if let Some(error) = script.limits.pop() {
            return Err(error);
        }
        match script.refuse_limit {
            Some((refused, error)) if refused == limit => Err(error),
            _ => self.gpu.set_power_limit(limit),
        }
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        let script = self.script.lock().unwrap();
        match script.refuse_lock {
            _ if script.deaf => Ok(()),
            Some((refused, error)) if refused == range => Err(error),
            _ => self.gpu.lock_clock(domain, range),
        }
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        let odd = self.script.lock().unwrap().odd_fan.take();
        odd.map_or_else(|| self.gpu.fan(fan), Ok)
    }

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError> {
        self.gpu.set_fan(fan, setting)
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        if self.script.lock().unwrap().refuse_reset {
            return Err(ActuatorError::Transient(nvml::code(999)));
        }
        self.gpu.reset_clock(domain)
    }
}

struct ScriptedDriver(Rack, Arc<Mutex<Script>>);

impl Driver for ScriptedDriver {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.0.inventory()
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        Ok(Box::new(Scripted {
            gpu: self.0.open(uuid)?,
            script: self.1.clone(),
        }))
    }
}

/// One idle A100 with its actuation.
struct Bench {
    rack: Rack,
    script: Arc<Mutex<Script>>,
    gpu: Box<dyn Gpu>,
    actuation: Actuation,
    counters: Counters,
    seconds: u64,
}

impl Bench {
    fn new(journal: impl FnOnce(&Uuid) -> Journal) -> Self {
        Self::on("a100-80gb", journal)
    }

    fn on(profile: &str, journal: impl FnOnce(&Uuid) -> Journal) -> Self {
        let rack = rack(profile);
        let script = Arc::<Mutex<Script>>::default();
        let uuid = rack.card(0).uuid().clone();
        let driver = ScriptedDriver(rack.clone(), script.clone());
        let gpu = driver.open(&uuid).unwrap();
        Self {
            rack,
            script,
            gpu,
            actuation: Actuation::new(uuid.clone(), journal(&uuid)),
            counters: Counters::default(),
            seconds: 0,
        }
    }

    /// One tick's writes.
    fn apply(&mut self, targets: &Targets) {
        self.seconds += 1;
        let now = Moment::from_start(Duration::from_secs(self.seconds));
        let reading = self.gpu.read(now, Cadence::Full);
        self.actuation.apply(self.gpu.as_mut(), targets, &reading);
        self.counters.add_outcomes(&self.actuation.take_outcomes());
    }
}

fn rack(profile: &str) -> Rack {
    let profile = profile::named(profile).unwrap();
    let idle = Conditions {
        load: Load::IDLE,
        ..Conditions::full_load(Celsius::new(18.0))
    };
    Rack::new(vec![Card::new(profile, 0, Box::new(move |_| idle))], || {
        Moment::START
    })
}

fn limit(watts: u32) -> Targets {
    Targets {
        limit: Some(W(watts)),
        ..Targets::default()
    }
}

fn range(max: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(210),
        max: Megahertz::new(max),
    }
}

/// A busy disk may need more than one tick.
#[track_caller]
fn in_ticks(mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("never");
}

#[test]
fn a_claim_the_disk_refused_is_written_once_it_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("gpus"), "in the way").unwrap();
    let mut bench = Bench::new(|uuid| Journal::open(&JournalDirs::only(dir.path()), uuid));
    let uuid = bench.rack.card(0).uuid().clone();
    bench.apply(&limit(300));
    assert_eq!(bench.rack.card(0).limit, W(300), "protection goes ahead");
    fs::remove_file(dir.path().join("gpus")).unwrap();
    let on_disk = || journal::load(&JournalDirs::only(dir.path()), &uuid).unwrap();
    in_ticks(|| {
        bench.apply(&limit(300));
        on_disk().is_some()
    });
    let entry = on_disk().expect("on disk");
    assert_eq!(entry.claim, *bench.actuation.claim());
}

#[test]
fn a_raise_that_the_disk_refuses_waits_until_it_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (gpus, aside) = (dir.path().join("gpus"), dir.path().join("aside"));
    let mut bench = Bench::new(|uuid| Journal::open(&JournalDirs::only(dir.path()), uuid));
    bench.apply(&limit(300));
    // That the limit was read back gets to the disk when there is time.
    let uuid = bench.rack.card(0).uuid().clone();
    let is_confirmed = || {
        journal::load(&JournalDirs::only(dir.path()), &uuid)
            .is_ok_and(|it| it.is_some_and(|it| it.confirmed))
    };
    in_ticks(is_confirmed);
    fs::rename(&gpus, &aside).unwrap();
    fs::write(&gpus, "in the way").unwrap();
    for raised in [limit(350), Targets::default()] {
        bench.apply(&raised);
        assert_eq!(bench.rack.card(0).limit, W(300));
    }
    let waited = (Action::PowerLimit, ActionResult::Unjournaled);
    assert_eq!(bench.counters.actions[waited], 2);
    fs::remove_file(&gpus).unwrap();
    in_ticks(|| {
        bench.apply(&limit(350));
        bench.rack.card(0).limit == W(350)
    });
}

#[test]
fn a_card_that_denies_its_limit_is_still_held_by_its_clock() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.script.lock().unwrap().no_limits = true;
    for max in [1000, 1000, 1000, 700, 500] {
        bench.apply(&Targets {
            locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
            ..limit(300)
        });
        assert_eq!(bench.rack.card(0).gpu_clock, Some(range(max)));
    }
    assert_eq!(bench.actuation.permission(), Permission::Granted);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
}

#[test]
fn a_lock_that_a_deaf_card_took_is_set_once_it_hears_again() {
    let mut bench = Bench::new(|_| Journal::none());
    let held = Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(700))),
        ..limit(300)
    };
    bench.script.lock().unwrap().deaf = true;
    bench.apply(&held);
    bench.apply(&held);
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    bench.script.lock().unwrap().deaf = false;
    bench.apply(&held);
    assert_eq!(bench.rack.card(0).limit, W(300));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    let taken = bench.counters.clone();
    bench.apply(&held);
    assert_eq!(bench.counters.actions, taken.actions, "and not again");
}

#[test]
fn a_limit_out_of_range_bars_no_other() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.script.lock().unwrap().refuse_limit = Some((W(300), ActuatorError::OutOfRange));
    bench.apply(&limit(300));
    bench.apply(&limit(250));
    assert_eq!(bench.rack.card(0).limit, W(250));
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).limit, W(400), "given back, too");
}

#[test]
fn an_operators_range_that_the_card_refuses_does_not_keep_our_lock() {
    let mut bench = Bench::new(|_| Journal::none());
    bench.actuation.set_restore_clock(Some(range(9999)));
    bench.script.lock().unwrap().refuse_lock = Some((range(9999), ActuatorError::OutOfRange));
    bench.apply(&Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(700))),
        ..Targets::default()
    });
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    assert!(bench.actuation.claim().is_empty());
}

#[test]
fn a_lock_that_could_not_be_loosened_in_time_is_not_when_hot() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.script.lock().unwrap().refuse_lock = Some((range(1000), ActuatorError::NoPermission));
    bench.apply(&lock(1000));
    bench.script.lock().unwrap().refuse_lock = None;
    bench.actuation.set_may_loosen(false);
    bench.seconds += 120;
    bench.apply(&lock(1000));
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
}

/// A worker over the scripted driver that holds 300 W.
fn holding(bench: &mut Bench) -> (Worker, Shared) {
    let shared = shared(Live::default(), 1.0);
    (holding_with(bench, &shared), shared)
}

fn holding_with(bench: &mut Bench, shared: &Shared) -> Worker {
    let driver = ScriptedDriver(bench.rack.clone(), bench.script.clone());
    let identity = driver.inventory().unwrap().remove(0);
    let mut claim = Claim::default();
    claim.writing(W(400), W(300));
    bench.rack.card(0).limit = W(300);
    let left = Entry {
        uuid: identity.uuid.clone(),
        claim,
        boot_id: journal::boot_id(),
        energy_millijoules: None,
        locks: ByClock::default(),
        confirmed: true,
        reason: journal::Reason::default(),
        since: None,
    };
    let setup = Setup {
        actuation: Actuation::new(identity.uuid.clone(), Journal::none()),
        identity,
        driver: Arc::new(driver),
        left: Some(left),
        may_write: true,
    };
    let mut worker = Worker::new(setup, shared.live());
    worker.tick(Moment::START, Moment::START, shared);
    worker
}

#[test]
fn a_tick_out_of_turn_reads_nothing_that_is_slow_and_the_next_in_turn_does() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    let mut tick = |millis| {
        let now = Moment::from_start(Duration::from_millis(millis));
        worker.tick(now, now, &shared);
        bench.script.lock().unwrap().readings.last().copied()
    };
    for second in 1..5 {
        assert_eq!(tick(1000 * second), Some(Cadence::Fast));
    }
    // Late by a hair: due from 5 s on.
    assert_eq!(tick(4999), Some(Cadence::Fast));
    for woken in [5010, 5200, 5400] {
        assert_eq!(tick(woken), Some(Cadence::Fast), "{woken}");
    }
    assert_eq!(tick(5999), Some(Cadence::Full));
}

fn shared(live: Live, scale: f64) -> Shared {
    let chain = Chain::new(Expected::Auto, None, Moment::START);
    Shared::new(Clock::start(scale), chain, live)
}

#[test]
fn a_lock_is_not_loosened_unseen_after_the_card_was_opened_anew() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    let identity = bench.gpu.identity().clone();
    bench.actuation.reopened(&identity);
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    // It was gone after all: set again as it was, not as loosely as is wanted.
    bench.rack.card(0).gpu_clock = None;
    bench.actuation.reopened(&identity);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(1000)));
}

#[test]
fn a_lock_that_a_counter_says_is_gone_is_not_set_more_loosely_unseen() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.actuation.forget();
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
    bench.actuation.set_may_loosen(true);
    bench.apply(&Targets::default());
    assert_eq!(bench.rack.card(0).gpu_clock, None);
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(1000)), "a new one");
}

#[test]
fn a_lock_whose_reset_failed_is_not_loosened_unseen() {
    let mut bench = Bench::new(|_| Journal::none());
    let lock = |max| Targets {
        locks: ByClock::only(ClockDomain::Gpu, Some(range(max))),
        ..Targets::default()
    };
    bench.apply(&lock(700));
    bench.script.lock().unwrap().refuse_reset = true;
    bench.apply(&Targets::default());
    bench.actuation.set_may_loosen(false);
    bench.apply(&lock(1000));
    assert_eq!(bench.rack.card(0).gpu_clock, Some(range(700)));
}

#[test]
fn a_stumble_of_the_driver_on_leaving_does_not_keep_the_limit() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    bench.script.lock().unwrap().limits = vec![ActuatorError::Transient(nvml::code(999))];
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(400));
}

/// What applications were told.
#[derive(Default)]
struct Told(Mutex<Vec<AppMode>>);

impl Applications for Told {
    fn tell(&self, _: &Arc<Identity>, mode: AppMode) -> bool {
        self.0.lock().unwrap().push(mode);
        true
    }

    fn list(&self, _: &[Arc<Identity>]) {}
}

#[test]
fn what_was_told_of_a_card_that_closes_slowly_is_taken_back() {
    let told = Arc::new(Told::default());
    let watch = told.clone();
    let shared = shared(Live::default(), 1.0).with_apps(told.clone());
    let mut bench = Bench::new(|_| Journal::none());
    let mut worker = holding_with(&mut bench, &shared);
    // As the hang watch does.
    let slowed = move || watch.0.lock().unwrap().push(AppMode::Gradual);
    bench.script.lock().unwrap().on_close = Some(Box::new(slowed));
    worker.leave(Moment::START, &shared);
    let told = told.0.lock().unwrap();
    let end = [AppMode::Normal, AppMode::Gradual, AppMode::Normal];
    assert!(told.ends_with(&end), "{told:?}");
}

#[test]
fn a_limit_somebody_else_set_just_before_we_leave_stands() {
    let mut bench = Bench::new(|_| Journal::none());
    let (mut worker, shared) = holding(&mut bench);
    bench.rack.card(0).limit = W(150);
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(150));
}

#[test]
fn what_is_to_be_kept_on_exit_stays_and_that_is_told() {
    let mut bench = Bench::new(|_| Journal::none());
    let live = Live {
        keep_on_exit: true,
        ..Live::default()
    };
    let shared = shared(live, 1.0);
    let mut worker = holding_with(&mut bench, &shared);
    worker.leave(Moment::START, &shared);
    assert_eq!(bench.rack.card(0).limit, W(300));
    let told = shared.events.recent();
    let left = told.iter().map(|event| &event.what);
    let left = left.filter(|what| matches!(what, What::Left { capped: true }));
    assert_eq!(left.count(), 1);
}

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
