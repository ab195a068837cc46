//! `serve`: wires everything together and runs until told to stop. Exit codes: 0 clean stop, 1
//! cannot start, 78 bad configuration.

mod env_files;
mod files;
mod flags_file;
mod reload;
mod signals;
mod site;
mod systemd;

use std::process::{self, ExitCode};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;

use crate::config::{Config, Mode, OnExit};
use crate::device::Driver;
use crate::device::dry_run::Observing;
use crate::device::nvml::NvmlDriver;
use crate::guard::events::What;
use crate::guard::memory::{self, CHAIN_EXPECTED_FOR, Record};
use crate::guard::shared::TellApps;
use crate::guard::{Apps, Clock, Events, Guard, Live, Plan, Shared, journal};
use crate::policy::Chain;
use crate::web::Web;
use crate::web::pull::{Pull, Puller};
use crate::web::snapshot::ReloadStatus;

use super::manager;
use super::{Flags, log, showcase};

pub(super) use files::{configuration, examine, remedy};

use files::{Refusal, good_configuration, security};
use reload::Reloader;
use signals::Signals;
use site::{About, Doors, Site};
use systemd::Service;

/// HTTP threads. The GPUs have their own.
const WEB_THREADS: usize = 2;

/// How long a stop waits for the apps to hear of it.
const APPS_PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(flags: &Flags) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    if let Err(refused) = flags_file::heeded() {
        eprintln!("thermal-guard: {refused}");
        return not_started(flags, &Refusal::mistake(refused.to_string()));
    }
    let config = match good_configuration(flags) {
        Ok(config) => config,
        Err(refusal) => return not_started(flags, &refusal),
    };
    match start(flags, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            not_started(flags, &Refusal::of(&error))
        }
    }
}

/// The report tells of a time without a guard for a mistake in a file.
fn not_started(flags: &Flags, refusal: &Refusal) -> ExitCode {
    if refusal.is_mistake && !flags.simulate {
        let events = Events::new();
        events.write_to(&flags.state_dir());
        let first = refusal.why.lines().next().unwrap_or_default().to_owned();
        let detail = first.into();
        events.note(None, What::StartRefused { detail });
        events.close();
    }
    refusal.code()
}

/// The GPUs: simulated or NVML's, and never written to in `observe`.
pub(super) fn driver(flags: &Flags, mode: Mode, clock: Clock) -> Arc<dyn Driver> {
    let driver: Arc<dyn Driver> = if flags.simulate {
        Arc::new(showcase::rack(clock))
    } else {
        Arc::new(NvmlDriver::new(flags.nvml_library.clone()))
    };
    match mode {
        Mode::Enforce => driver,
        Mode::Observe => Arc::new(Observing(driver)),
    }
}

fn start(flags: &Flags, config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WEB_THREADS)
        .enable_all()
        .build()
        .context("no HTTP runtime")?;
    let result = runtime.block_on(serve(flags, config));
    // Not waited for: an app's file may be on a disk that hangs, and a stop must not hang with it.
    runtime.shutdown_background();
    result
}

async fn serve(flags: &Flags, config: Config) -> anyhow::Result<()> {
    let signals = Signals::listen().context("no signals")?;
    announce(flags, &config);
    let doors = Doors::open(flags).await?;
    let clock = Clock::start(flags.time_scale);
    let security = Arc::new(security(flags, clock)?);
    let settings = site::settings(flags, &config, &doors)?;

    let reloader = Reloader::new(flags, &config);
    let apps = reloader.apps();
    let tell_apps = Box::new(move |gpu: &_, mode| {
        apps.wish(gpu, mode);
        apps.are_well(gpu)
    });
    let shared = shared(flags, &config, clock, tell_apps);
    let apps = reloader.apps();
    shared.on_roll(Box::new(move |gpus| apps.list(gpus)));
    let about = Arc::new(About {
        mode: config.mode,
        simulated: flags.simulate,
        reload: Mutex::new(ReloadStatus {
            successful: true,
            last_success: Some(Clock::unix()),
        }),
    });
    let web = site::web(&shared, settings, reloader.hook());
    reloader.serve(&web, &about);
    let exposition = site::exposition(&web, reloader.apps(), reloader.env_files(), about);
    tokio::spawn(reloader.env_files().watch());

    let puller = puller(&config, &web)?;

    let guard = Guard::start(plan(flags, &config, clock), shared.clone())?;
    let pull = puller.map(Pull::start);
    let site = Site::start(doors, &security, &web, &exposition, &flags.telemetry_path);
    let mut service = Service::start(&guard, &shared);
    let stop = signals.until_stopped(&guard, &reloader).await;
    service.stopping();
    if manager::looks_after_the_end() {
        shared.leave_to_the_next();
    }
    if let Some(pull) = pull {
        pull.close().await;
    }
    // The web goes on while the guard ends: probes and scrapes see it stop.
    if !tokio::task::spawn_blocking(|| guard.stop()).await? {
        tracing::warn!(
            "a GPU's worker hangs inside NVML and is left behind: see dmesg; after a reset or reboot `thermal-guard restore` gives back what is left"
        );
    }
    if !reloader.apps().settle(APPS_PATIENCE).await {
        tracing::warn!("not every app heard that it is back to normal; the next start tells them");
    }
    site.close().await;
    shared.events.note(
        None,
        What::Stopped {
            pid: process::id(),
            refused: stop.is_err(),
        },
    );
    tokio::task::spawn_blocking(move || shared.close()).await?;
    stop
}

/// What all share, with what the guard before remembered.
fn shared(flags: &Flags, config: &Config, clock: Clock, tell_apps: TellApps) -> Arc<Shared> {
    let known = remembered(flags);
    let chain = chain(config, clock, &known);
    let shared = Shared::new(clock, chain, live(config), tell_apps);
    write_events(flags, config, &shared.events);
    if !flags.simulate {
        shared.remember_in(&flags.state_dir());
    }
    shared.recall(&known);
    Arc::new(shared)
}

/// What the guard before was told, and is to go on.
fn remembered(flags: &Flags) -> Record {
    if flags.simulate {
        return Record::default();
    }
    memory::load(&flags.state_dir())
}

/// What happens from here on is written down; also in `observe` and simulated, each in its place.
fn write_events(flags: &Flags, config: &Config, events: &Events) {
    events.write_to(&flags.state_dir());
    events.note(
        None,
        What::Started {
            version: env!("CARGO_PKG_VERSION").into(),
            mode: config.mode.name().into(),
            simulated: flags.simulate,
            pid: process::id(),
        },
    );
}

fn announce(flags: &Flags, config: &Config) {
    let policy = config.policy.name.name();
    let mode = config.mode.name();
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(
        version,
        mode,
        policy,
        simulated = flags.simulate,
        "starting"
    );
    if config.mode == Mode::Observe {
        tell_of_remains(flags);
    }
}

/// What a guard left throttled stays so while this one only observes.
fn tell_of_remains(flags: &Flags) {
    for entry in journal::load_all(&flags.state_dir()).0 {
        tracing::warn!(uuid = %entry.uuid, "a guard before this one left the GPU throttled, and observe gives nothing back: `thermal-guard restore` does");
    }
}

fn chain(config: &Config, clock: Clock, known: &Record) -> Chain {
    let alertmanager = &config.alertmanager;
    let now = clock.wall();
    let chain = Chain::new(alertmanager.expected(), alertmanager.heartbeat_timeout, now);
    let age = known.heartbeat_age(Clock::unix());
    let expected = age.and_then(|age| CHAIN_EXPECTED_FOR.checked_sub(age));
    match age.zip(expected) {
        Some((age, left)) => chain.remembering(age, now + left),
        None => chain,
    }
}

fn puller(config: &Config, web: &Arc<Web>) -> anyhow::Result<Option<Puller>> {
    let pull = config.alertmanager.pull.as_ref();
    Ok(pull.map(|pull| Puller::new(web, pull)).transpose()?)
}

fn apps(flags: &Flags, config: &Config) -> Apps {
    let state_dir = flags.state_dir();
    let observe = config.mode == Mode::Observe;
    let remembers = (!observe).then_some(state_dir.as_path());
    Apps::spawn(
        config.apps.clone(),
        remembers,
        observe,
        &tokio::runtime::Handle::current(),
    )
}

fn plan(flags: &Flags, config: &Config, clock: Clock) -> Plan {
    let writes = config.mode == Mode::Enforce && !flags.simulate;
    Plan {
        driver: driver(flags, config.mode, clock),
        state_dir: writes.then(|| flags.state_dir()),
        lock_dir: writes.then(|| flags.lock_dir.clone()),
    }
}

fn live(config: &Config) -> Live {
    let gpus = config.gpus.clone();
    let told: Vec<_> = config.apps.iter().map(|app| app.gpus.clone()).collect();
    Live {
        settings: config.policy_settings(),
        poll_interval: config.poll_interval,
        observes: config.mode == Mode::Observe,
        gpus: config.gpus.clone(),
        selects: Box::new(move |identity| gpus.matches(identity)),
        has_app: Box::new(move |identity| told.iter().any(|gpus| gpus.matches(identity))),
        sensors: config.sensors.clone(),
        restore_clock: config.actuators.gpu_clock_restore,
        keep_on_exit: config.on_exit == OnExit::Keep,
    }
}
