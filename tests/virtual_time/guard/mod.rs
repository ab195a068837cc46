//! The guard's hand on a GPU whose driver refuses, stumbles or is touched by others, and the
//! guard's life around it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod disk;
mod life;
mod odd;
mod scripted;
mod worker;
mod writes;

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use thermal_guard::clock::Clock;
use thermal_guard::config::{GpuRef, GpuSelection};
use thermal_guard::device::{
    ActuatorError, ByClock, Cadence, ClockDomain, ClockRange, Driver, FanSetting, Gpu, Identity,
    Uuid, nvml,
};
use thermal_guard::events::What;
use thermal_guard::guard::Permission;
use thermal_guard::guard::actuate::actuation::Actuation;
use thermal_guard::guard::actuate::journal;
use thermal_guard::guard::actuate::journal::{Entry, Journal, JournalDirs};
use thermal_guard::guard::counters::Counters;
use thermal_guard::guard::gpu::worker::{Setup, Worker};
use thermal_guard::guard::state::{Applications, Live, Shared};
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{AppMode, Chain, Claim, State, Targets};
use thermal_guard::sim::card::{Card, Conditions, Rack};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Megahertz, Moment, Watts};

use scripted::{Script, ScriptedDriver};

const W: fn(u32) -> Watts = Watts::from_watts;

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

fn shared(live: Live, scale: f64) -> Shared {
    let chain = Chain::new(Expected::Auto, None, Moment::START);
    Shared::new(Clock::start(scale), chain, live)
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
