//! The files that a guard is started and reloaded with, and what the exit code says of a bad one.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::cli::{EXIT_CONFIG, Flags, ModeFlag, log};
use crate::config::{Config, LoadError, Mode};
use crate::files::{is_late, patiently};
use crate::guard::Clock;
use crate::web::security::{Security, SecurityError};

/// How long a start waits for the disk that the web config and its certificates are on.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// Why a guard doesn't start.
pub(super) struct Refusal {
    pub(super) why: String,
    /// A service with a mistake in a file isn't started again before somebody has looked at it.
    pub(super) is_mistake: bool,
}

impl Refusal {
    pub(super) fn mistake(why: String) -> Self {
        let is_mistake = true;
        Self { why, is_mistake }
    }

    pub(super) fn of(error: &anyhow::Error) -> Self {
        let is_mistake = match error.downcast_ref::<SecurityError>() {
            Some(SecurityError::File(error)) => is_mistake(error),
            Some(SecurityError::Tls { source, .. }) => !source.is_unreadable(),
            _ => false,
        };
        let why = format!("{error:#}");
        Self { why, is_mistake }
    }

    pub(super) fn code(&self) -> ExitCode {
        if self.is_mistake {
            ExitCode::from(EXIT_CONFIG)
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Whether a guard could be started with these files. What is wrong in them is said.
pub(in crate::cli) fn examine(flags: &Flags) -> Result<(), ExitCode> {
    good_configuration(flags).map_err(|refusal| refusal.code())?;
    match security(flags, Clock::start(1.0)) {
        Ok(_) => Ok(()),
        Err(error) => {
            log::complain(&format!("thermal-guard: {error:#}"));
            Err(Refusal::of(&error).code())
        }
    }
}

pub(super) fn good_configuration(flags: &Flags) -> Result<Config, Refusal> {
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

/// Of a disk that doesn't answer nobody knows: the file may be good. (So may be one whose certificate
/// isn't there yet.)
fn is_mistake(error: &LoadError) -> bool {
    !matches!(error, LoadError::Unreadable { source, .. } if is_late(source))
}

/// The file's settings, as far as no flag overrides them.
pub(in crate::cli) fn configuration(flags: &Flags) -> Result<Config, LoadError> {
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

/// What is to be done about a file that can't be read; each mistake in one says that itself.
pub(in crate::cli) fn remedy(error: &LoadError) -> Option<&'static str> {
    let LoadError::Unreadable { source, .. } = error else {
        return None;
    };
    Some(if source.kind() == io::ErrorKind::PermissionDenied {
        "--config.file wants a file that the guard can read: run this as the guard's user, which is root for the service"
    } else {
        "--config.file wants a file that the guard can read"
    })
}

/// Of the listeners, as `--web.config.file` wants it. What is wrong in the file is a bad
/// configuration, as in the other one.
pub(super) fn security(flags: &Flags, clock: Clock) -> anyhow::Result<Security> {
    let Some(path) = flags.web_config_file.clone() else {
        return Ok(Security::load(None, clock)?);
    };
    let its = path.clone();
    // The certificates, too.
    let loaded = patiently(&path, START_PATIENCE, move || {
        Security::load(Some(&its), clock)
    });
    let loaded = loaded
        .unwrap_or_else(|source| Err(SecurityError::File(LoadError::Unreadable { path, source })));
    loaded.context("--web.config.file")
}
