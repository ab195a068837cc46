//! `restore`: gives back what a dead guard left behind, by its journal. Exit codes: 0 if nothing is
//! left, 1 if something is kept. It runs after every stop of the service, so it needs no valid
//! configuration, and no driver if nothing is left.

mod apps;
mod gpu;
mod gpus;
mod options;
mod report;
mod settle;
mod words;

use std::process::ExitCode;

use crate::config::{Mode, OnExit};

use super::flags::Flags;
use super::manager::{self, Next};
use super::output::say;
use super::setup;
use gpus::restore;
pub(crate) use options::Options;
use report::Report;

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let flags = &as_the_service(flags);
    let report = if flags.simulate {
        Report::default().with("simulated GPUs end with their guard: nothing to give back")
    } else {
        after(next(flags), flags).unwrap_or_else(|| restore(flags, options))
    };
    // The output may be closed.
    let _ = say(&report.text);
    ExitCode::from(u8::from(report.is_kept))
}

/// In `ExecStopPost=`: with the driver and the places of the service's guard, which are in its flags.
fn as_the_service(flags: &Flags) -> Flags {
    let mut flags = flags.clone();
    if let Some(service) = manager::flags_of_the_service() {
        flags.state_dir = flags.state_dir.or(service.state_dir);
        flags.nvml_library = flags.nvml_library.or(service.nvml_library);
        flags.lock_dir = service.lock_dir;
    }
    flags
}

/// What follows this guard. A guard that only observes gives nothing back.
fn next(flags: &Flags) -> Next {
    match manager::after_end() {
        Next::Guard if next_observes(flags) => Next::NoGuard,
        next => next,
    }
}

/// By the flag of the service; without one, by the file.
fn next_observes(flags: &Flags) -> bool {
    let told = manager::flags_of_the_service().and_then(|service| service.mode());
    told.or_else(|| Some(setup::configuration(flags).ok()?.mode)) == Some(Mode::Observe)
}

/// `on_exit: keep`, which holds for every end of the service.
fn keeps_on_exit(flags: &Flags) -> bool {
    setup::configuration(flags).is_ok_and(|config| config.on_exit == OnExit::Keep)
}

/// In `ExecStopPost=`: gives nothing back if a guard follows, or if the machine goes down.
fn after(next: Next, flags: &Flags) -> Option<Report> {
    let report = Report::default();
    match next {
        Next::NoGuard if manager::unit_restores_after_exit() && keeps_on_exit(flags) => {
            Some(report.with(
                "kept, as `on_exit: keep` in the configuration says; run `thermal-guard restore` to give it back",
            ))
        }
        Next::NoGuard => None,
        Next::Guard => Some(report.with(
            "systemd is about to start the next guard: it goes on with what is throttled",
        )),
        Next::Shutdown => Some(report.with(
            "the machine goes down, and with it what was set: nothing given back",
        )),
        Next::Unknown => Some(report.keeping(
            "kept: systemd doesn't say whether another guard follows; run `thermal-guard restore` again if none does",
        )),
    }
}
