//! `serve`: wires everything together and runs until told to stop. Exit codes: 0 clean stop, 1
//! cannot start, 78 bad configuration.

mod env_files;
mod flags_file;
mod listeners;
mod parts;
mod reload;
mod signals;
mod systemd;
mod web_service;

use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::alerts::pull::Pull;
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::disk::state_lock::{StateLock, StateLockError};
use crate::events::{self, Events, What};
use crate::guard::Guard;
use crate::guard::actuate::journal;
use crate::web::App;

use super::flags::Flags;
use super::output::in_full;
use super::setup::{Refusal, good_configuration, live_web_config};
use super::{log, manager};

use listeners::Listeners;
use reload::Reloader;
use signals::Signals;
use systemd::Service;
use web_service::WebService;

/// HTTP threads. The GPUs have their own.
const WEB_THREADS: usize = 2;

/// How long a stop waits for the apps to be back to normal.
const APPS_PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(flags: &Flags) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    if let Err(refused) = flags_file::check() {
        eprintln!("thermal-guard: {refused}");
        return not_started(flags, &Refusal::mistake(refused.to_string()));
    }
    let read = Clock::unix();
    let config = match good_configuration(flags) {
        Ok(config) => config,
        Err(refusal) => return not_started(flags, &refusal),
    };
    match start(flags, config, read) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        // Its own event says so.
        Ok(Err(error)) => {
            tracing::error!(error = in_full(&error), "stopped");
            Refusal::of(&error).code()
        }
        Err(error) => {
            tracing::error!(error = in_full(&error), "not started");
            not_started(flags, &Refusal::of(&error))
        }
    }
}

/// How long one reason for a failed start stays out of the log after it was written. systemd tries
/// each second.
const REFUSED_AGAIN: Duration = Duration::from_secs(3600);

/// Logs an event, so that the report explains the time without a guard.
fn not_started(flags: &Flags, refusal: &Refusal) -> ExitCode {
    if !flags.simulate {
        let first = refusal.why.lines().next().unwrap_or_default().to_owned();
        let refused = What::StartRefused {
            detail: first.into(),
        };
        let newest = events::newest(&flags.state_dir());
        let is_told = newest.is_some_and(|event| {
            event.what == refused && Clock::unix().saturating_sub(event.time) < REFUSED_AGAIN
        });
        if !is_told {
            let events = Events::new();
            events.write_to(&flags.state_dir());
            events.note(None, refused);
            events.close();
        }
    }
    refusal.code()
}

/// The outer error: no guard started, or another one has the GPU. The inner one: it stopped because it
/// could not go on.
type Ended = anyhow::Result<anyhow::Result<()>>;

/// `read`: when the configuration was read, since the Unix epoch.
fn start(flags: &Flags, config: Config, read: Duration) -> Ended {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WEB_THREADS)
        .enable_all()
        .build()
        .context("no HTTP runtime")?;
    let result = runtime.block_on(serve(flags, config, read));
    // Doesn't wait: an app's file may be on a disk that hangs, and a stop must not hang with it.
    runtime.shutdown_background();
    result
}

async fn serve(flags: &Flags, config: Config, read: Duration) -> Ended {
    let signals = Signals::listen().context("no signals")?;
    announce(flags, &config);
    let _lock = lock_state(flags, &config)?;
    let listeners = Listeners::open(flags).await?;
    let clock = Clock::start(flags.time_scale);
    let security = Arc::new(live_web_config(flags, clock)?);
    listeners.tell_page(security.has_tls());
    let actuators = Arc::new(web_service::actuators(flags, &config)?);

    let apps = Arc::new(parts::apps(flags, &config));
    let shared = parts::shared(flags, &config, clock, apps.clone());
    let desk = web_service::desk(&config, &listeners, &shared);
    let puller = parts::puller(&config, &desk)?;
    let node = desk.settings().node.name().to_owned();
    let events = &shared.events;
    events.tell(parts::notifier(flags, &config, &node, events)?);
    let reloader = Reloader::new(flags, &config, apps, desk.clone(), actuators.clone(), read);
    let app = Arc::new(App::new(desk, actuators, reloader.hook()));
    let modes = (config.mode, flags.simulate);
    let snapshots = web_service::snapshots(&app, &reloader, modes);
    tokio::spawn(reloader.env_files().watch());

    note_start(flags, &config, &shared.events);
    Service::set_watchdog(&shared);
    let guard = Guard::start(parts::plan(flags, &config, clock), shared.clone())?;
    let pull = puller.map(Pull::start);
    let web_service = WebService::start(
        listeners,
        &security,
        &app,
        &snapshots,
        web_service::counters(&app, reloader.counters()),
        &flags.telemetry_path,
    );
    let mut service = Service::start(&guard);
    service.tell_headlines(snapshots.clone());
    let stop = signals.until_stopped(&guard, &reloader).await;
    service.stopping();
    if manager::unit_restores_after_exit() {
        shared.leave_to_the_next();
    }
    if let Some(pull) = pull {
        pull.close().await;
    }
    // The web keeps running while the guard stops: probes and scrapes see it stop.
    if !tokio::task::spawn_blocking(|| guard.stop()).await? {
        tracing::warn!(
            "a GPU's worker hangs inside NVML and is left behind: see dmesg; after a reset or reboot `thermal-guard restore` gives back what is left"
        );
    }
    if !reloader.apps().settle(APPS_PATIENCE).await {
        tracing::warn!("not every app heard that it is back to normal; the next start tells them");
    }
    web_service.close().await;
    let never_began = stop.is_err() && shared.events.withdraw_start();
    if !never_began {
        let (pid, refused) = (process::id(), stop.is_err());
        shared.events.note(None, What::Stopped { pid, refused });
    }
    tokio::task::spawn_blocking(move || shared.close()).await?;
    systemd::stopped();
    if never_began { stop.map(Ok) } else { Ok(stop) }
}

/// Held until the end. A directory that can't be locked costs its log, and not the guard.
fn lock_state(flags: &Flags, config: &Config) -> anyhow::Result<Option<StateLock>> {
    match StateLock::acquire(&flags.state_dir(), config.mode == Mode::Observe) {
        Ok(lock) => Ok(Some(lock)),
        Err(held @ StateLockError::Held { .. }) => Err(held.into()),
        Err(error) => {
            tracing::warn!(%error, "the state directory can't be locked: make it writable, and don't start a second guard with it");
            Ok(None)
        }
    }
}

/// Only a GPU's lock can refuse the start now. The first look at the GPUs will tell.
fn note_start(flags: &Flags, config: &Config, events: &Events) {
    events.starting(What::Started {
        version: env!("CARGO_PKG_VERSION").into(),
        mode: config.mode.into(),
        simulated: flags.simulate,
        pid: process::id(),
    });
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

/// In `observe`, the guard restores nothing that a previous guard left throttled; the log says so.
fn tell_of_remains(flags: &Flags) {
    for entry in journal::load_all(&flags.journal_dirs()).0 {
        tracing::warn!(uuid = %entry.uuid, "an earlier guard left the GPU throttled, and observe restores nothing: run `thermal-guard restore`");
    }
}
