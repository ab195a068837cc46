//! Used by several commands: the configuration, the web config, the driver, the token, and the exit
//! code for a mistake in a file.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::{Config, LoadError, Mode};
use crate::device::Driver;
use crate::device::dry_run::Observing;
use crate::device::{DriverOptions, factory};
use crate::disk::{is_late, patiently};
use crate::sim::demo;
use crate::web::access::live_config::{LiveWebConfig, SecurityError};
use crate::web::access::token_file::FILE_NAME;

use super::flags::{Flags, ModeFlag};
use super::log;
use super::output::{EXIT_CONFIG, in_full};

/// How long a start waits for the disk that the web config and its certificates are on.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Why a guard doesn't start.
pub(crate) struct Refusal {
    pub(crate) why: String,
    /// systemd doesn't restart a service with a mistake in a file: a person must look at it first.
    pub(crate) is_mistake: bool,
}

impl Refusal {
    pub(crate) fn mistake(why: String) -> Self {
        let is_mistake = true;
        Self { why, is_mistake }
    }

    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let is_mistake = match error.downcast_ref::<SecurityError>() {
            Some(SecurityError::File(error)) => is_mistake(error),
            Some(SecurityError::Tls { source, .. }) => !source.is_unreadable(),
            _ => false,
        };
        let why = in_full(error);
        Self { why, is_mistake }
    }

    pub(crate) fn code(&self) -> ExitCode {
        if self.is_mistake {
            ExitCode::from(EXIT_CONFIG)
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Checks whether a guard could start with these files, and prints their mistakes.
pub(crate) fn examine(flags: &Flags) -> Result<(), ExitCode> {
    good_configuration(flags).map_err(|refusal| refusal.code())?;
    match live_web_config(flags, Clock::start(1.0)) {
        Ok(_) => Ok(()),
        Err(error) => {
            log::complain(&format!("thermal-guard: {}", in_full(&error)));
            Err(Refusal::of(&error).code())
        }
    }
}

pub(crate) fn good_configuration(flags: &Flags) -> Result<Config, Refusal> {
    configuration(flags).map_err(|error| {
        log::complain(&format!("thermal-guard: {error}"));
        if let Some(remedy) = remedy(&error) {
            log::complain(remedy);
        }
        Refusal {
            why: error.to_string(),
            is_mistake: is_mistake(&error),
        }
    })
}

/// Whether the file has a mistake. If the disk didn't answer, the file may be good. (The same holds if
/// a certificate isn't there yet.)
fn is_mistake(error: &LoadError) -> bool {
    !matches!(error, LoadError::Unreadable { source, .. } if is_late(source))
}

/// The settings of the file; flags override them, or add a name of the node.
pub(crate) fn configuration(flags: &Flags) -> Result<Config, LoadError> {
    let mut config = flags
        .config_file
        .as_deref()
        .map_or_else(|| Ok(Config::default()), Config::load)?;
    // An unset variable of a pod's template is an empty one.
    let name = flags.node_name.as_ref().filter(|name| !name.is_empty());
    if let Some(name) = name {
        config.node_names.push(name.clone());
        if let Some(pull) = &mut config.alertmanager.pull {
            pull.node = Some(name.clone());
        }
    }
    let mode = flags.mode().unwrap_or(config.mode);
    Ok(Config { mode, ..config })
}

impl Flags {
    /// The mode that the flags ask for. Of two flags that differ, the one that only observes.
    pub(crate) fn mode(&self) -> Option<Mode> {
        match (self.mode, self.dry_run) {
            (Some(ModeFlag::Observe), _) | (_, true) => Some(Mode::Observe),
            (Some(ModeFlag::Enforce), false) => Some(Mode::Enforce),
            (None, false) => None,
        }
    }
}

/// The remedy for a file that can't be read. A mistake in a file names its own remedy.
pub(crate) fn remedy(error: &LoadError) -> Option<&'static str> {
    let LoadError::Unreadable { source, .. } = error else {
        return None;
    };
    Some(if source.kind() == io::ErrorKind::PermissionDenied {
        "--config.file needs a file that can be read: run this as root (or the service's user)"
    } else {
        "--config.file needs a file that the guard can read"
    })
}

/// The web config of the listeners, from `--web.config.file`. A mistake in this file counts as bad
/// configuration too.
pub(crate) fn live_web_config(flags: &Flags, clock: Clock) -> anyhow::Result<LiveWebConfig> {
    let Some(path) = flags.web_config_file.clone() else {
        return Ok(LiveWebConfig::load(None, clock)?);
    };
    let its = path.clone();
    // The certificates, too.
    let loaded = patiently(&path, START_PATIENCE, move || {
        LiveWebConfig::load(Some(&its), clock)
    });
    let loaded = loaded
        .unwrap_or_else(|source| Err(SecurityError::File(LoadError::Unreadable { path, source })));
    loaded.context("--web.config.file")
}

/// The driver for simulated GPUs or for NVML's. In `observe`, it drops all writes.
pub(crate) fn driver(flags: &Flags, mode: Mode, clock: Clock) -> Arc<dyn Driver> {
    let driver: Arc<dyn Driver> = if flags.simulate {
        Arc::new(demo::rack(clock))
    } else {
        factory::driver(DriverOptions {
            library: flags.nvml_library.clone(),
        })
    };
    match mode {
        Mode::Enforce => driver,
        Mode::Observe => Arc::new(Observing(driver)),
    }
}

/// The token of the running guard: the flag's, the configuration's, or the one that the guard made itself.
pub(crate) fn token_file(flags: &Flags) -> PathBuf {
    let configured = || configuration(flags).ok()?.hook.bearer_token_file;
    let file = flags.token_file.clone().or_else(configured);
    file.unwrap_or_else(|| flags.state_dir().join(FILE_NAME))
}
