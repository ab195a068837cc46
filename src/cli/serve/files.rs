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

/// Whether a guard could be started with these files. What is wrong in them is said.
pub(in crate::cli) fn examine(flags: &Flags) -> Result<(), ExitCode> {
    good_configuration(flags)?;
    match security(flags, Clock::start(1.0)) {
        Ok(_) => Ok(()),
        Err(error) => {
            log::complain(&format!("thermal-guard: {error:#}"));
            Err(code_of(&error))
        }
    }
}

pub(super) fn good_configuration(flags: &Flags) -> Result<Config, ExitCode> {
    configuration(flags).map_err(|error| {
        log::complain(&format!("thermal-guard: {error}"));
        if let Some(remedy) = remedy(&error) {
            log::complain(remedy);
        }
        exit_code(&error)
    })
}

pub(super) fn code_of(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<SecurityError>() {
        Some(SecurityError::File(error)) => exit_code(error),
        Some(SecurityError::Tls { source, .. }) if !source.is_unreadable() => {
            ExitCode::from(EXIT_CONFIG)
        }
        _ => ExitCode::FAILURE,
    }
}

/// A service with a bad file isn't started again before somebody has looked at it. One whose disk
/// doesn't answer is: the file may be good. (So is one whose certificate isn't there yet.)
fn exit_code(error: &LoadError) -> ExitCode {
    match error {
        LoadError::Unreadable { source, .. } if is_late(source) => ExitCode::FAILURE,
        _ => ExitCode::from(EXIT_CONFIG),
    }
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
