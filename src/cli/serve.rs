//! `serve`: wires everything together and runs until told to stop. Exit codes: 0 clean stop, 1
//! cannot start, 78 bad configuration.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{Config, LoadError, Mode, OnExit};
use crate::device::Driver;
use crate::device::dry_run::Observing;
use crate::device::nvml::NvmlDriver;
use crate::guard::{Apps, Clock, Guard, Live, Plan, Shared};
use crate::policy::Chain;

use super::{EXIT_CONFIG, Flags, ModeFlag, log, showcase};

/// HTTP threads. The GPUs have their own.
const WEB_THREADS: usize = 2;

/// How long a stop waits for the apps to hear of it.
const APPS_PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn run(flags: &Flags) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    let config = match configuration(flags) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("thermal-guard: {error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    match start(flags, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "stopped");
            eprintln!("thermal-guard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The file's settings, as far as no flag overrides them.
pub(super) fn configuration(flags: &Flags) -> Result<Config, LoadError> {
    let config = flags
        .config_file
        .as_deref()
        .map_or_else(|| Ok(Config::default()), Config::load)?;
    let mode = match (flags.mode, flags.dry_run) {
        (Some(ModeFlag::Observe), _) | (_, true) => Mode::Observe,
        (Some(ModeFlag::Enforce), _) => Mode::Enforce,
        (None, false) => config.mode,
    };
    Ok(Config { mode, ..config })
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
    runtime.block_on(serve(flags, config))
}

async fn serve(flags: &Flags, config: Config) -> anyhow::Result<()> {
    let mode = config.mode.name();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        mode,
        simulated = flags.simulate,
        "starting"
    );
    let _listeners = listen(&flags.listen_address).await?;
    let clock = Clock::start(flags.time_scale);
    let chain = Chain::new(
        config.alertmanager.expected(),
        config.alertmanager.heartbeat_timeout,
        clock.wall(),
    );
    let apps = Arc::new(apps(flags, &config));
    let wishes = apps.clone();
    let tell_apps = Box::new(move |gpu: &_, mode| wishes.wish(gpu, mode));
    let shared = Arc::new(Shared::new(clock, chain, live(&config), tell_apps));
    let guard = Guard::start(plan(flags, &config, clock), shared.clone())?;
    let stop = until_stopped(&guard).await;
    if !tokio::task::spawn_blocking(|| guard.stop()).await? {
        tracing::warn!("a GPU's worker hangs inside NVML and is left behind");
    }
    if !apps.settle(APPS_PATIENCE).await {
        tracing::warn!("not every app heard that it is back to normal; the next start tells them");
    }
    stop
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
    Live {
        settings: config.policy_settings(),
        poll_interval: config.poll_interval,
        selects: Box::new(move |identity| gpus.matches(identity)),
        restore_clock: config.actuators.gpu_clock_restore,
        keep_on_exit: config.on_exit == OnExit::Keep,
    }
}

/// Returns when asked to stop, or with the reason why the guard can't go on.
async fn until_stopped(guard: &Guard) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
        reason = guard.fatal() => anyhow::bail!(reason),
    }
    Ok(())
}

async fn listen(addresses: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = bind(address)
            .await
            .with_context(|| format!("can't listen on {address}"))?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}

/// `:10835` is every interface, IPv6 and IPv4, as in the Prometheus family.
async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return TcpListener::bind(address).await;
    };
    match TcpListener::bind(format!("[::]:{port}")).await {
        Ok(listener) => Ok(listener),
        // No IPv6 on this machine.
        Err(_) => TcpListener::bind(format!("0.0.0.0:{port}")).await,
    }
}
