//! Whether systemd starts the guard's unit again, or leaves it down. A GPU is given back for good only
//! where no guard follows.
//!
//! That is known when the service has ended: by the job that is queued for the unit, by what the
//! service ended with, and by the unit's `Restart=`. So a guard that its unit stops leaves what is
//! throttled to `thermal-guard restore` in `ExecStopPost=`, which asks systemd. An answer that doesn't
//! come, or that can't be read, is [`Next::Unknown`], never a guess.

use std::env;
use std::path::Path;

use clap::Parser as _;

use super::flags::Flags;
use super::systemctl::{ask, said};

/// The unit sets this to its own name. Without it, no service manager is known that restarts the guard.
const UNIT: &str = "THERMAL_GUARD_UNIT";

/// systemd writes this file where it runs inside a container.
const CONTAINER: &str = "/run/systemd/container";

/// The service's flags, from `/etc/default/thermal-guard`.
const FLAGS: &str = "ARGS";

/// What follows this guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another guard, which continues from the journal.
    Guard,
    /// The machine shuts down; limits and locks end with it.
    Shutdown,
    NoGuard,
    /// systemd should know, and gives no usable answer.
    Unknown,
}

/// Whether the unit takes care of what is throttled when its guard ends.
pub(crate) fn unit_restores_after_exit() -> bool {
    env::var_os(UNIT).is_some()
}

/// The flags that the service's guard was started with. `None`: this isn't the service, or its flags
/// can't be parsed, and then the guard didn't start either.
pub(crate) fn flags_of_the_service() -> Option<Flags> {
    env::var_os(UNIT)?;
    flags_in(&env::var(FLAGS).unwrap_or_default())
}

/// Splits as systemd does: at white space, with quotes removed.
fn flags_in(arguments: &str) -> Option<Flags> {
    let words = shlex::split(arguments)?;
    let command = ["thermal-guard".to_owned()];
    let parsed = ServiceFlags::try_parse_from(command.into_iter().chain(words));
    parsed.ok().map(|service| service.flags)
}

#[derive(clap::Parser)]
struct ServiceFlags {
    #[command(flatten)]
    flags: Flags,
}

/// In `ExecStopPost=`, after the guard has ended.
pub(crate) fn after_end() -> Next {
    let (Ok(unit), Ok(result)) = (env::var(UNIT), env::var("SERVICE_RESULT")) else {
        return Next::NoGuard;
    };
    let status = env::var("EXIT_STATUS").unwrap_or_default();
    let Some(jobs) = ask(&["list-jobs", "--no-legend", "--plain", "--full"]) else {
        return Next::Unknown;
    };
    match job(&jobs, &unit) {
        Some(("stop", _)) => stopped(),
        Some((kind, state)) if starts_another(kind, state) => Next::Guard,
        // None, or one that doesn't say what follows: a `reload` whose guard died meanwhile, or the
        // start that has just failed.
        _ => {
            let shown = ask(&["show", "--property=Restart,RestartPreventExitStatus", &unit]);
            let shown = shown.unwrap_or_default();
            Restart::read(&shown).map_or(Next::Unknown, |restart| restart.after(&result, &status))
        }
    }
}

/// Whether this job starts a guard after the one that has ended. A restart's job is `restart` until all
/// has stopped, and only then `start`. A `start` that already runs is therefore the start of the guard
/// that has ended, refused by a flag or a file; one that waits was asked for meanwhile.
fn starts_another(kind: &str, state: &str) -> bool {
    match kind {
        "restart" | "try-restart" => true,
        "start" | "reload-or-start" => state == "waiting",
        _ => false,
    }
}

/// The unit is being stopped: alone, or with the whole machine. A container that shuts down takes no
/// limit along, because the GPU is the host's.
fn stopped() -> Next {
    // Exits with 1 while the machine stops.
    match said(&["is-system-running"]) {
        Some((state, _)) if state.trim() == "stopping" && !Path::new(CONTAINER).exists() => {
            Next::Shutdown
        }
        Some((state, _)) if !state.trim().is_empty() => Next::NoGuard,
        _ => Next::Unknown,
    }
}

/// The unit's own rule for a service that ended by itself.
#[derive(Debug, PartialEq, Eq)]
struct Restart<'a> {
    rule: &'a str,
    /// Exit codes and signals after which there is no restart.
    prevented: Vec<&'a str>,
}

impl<'a> Restart<'a> {
    /// From the properties that `systemctl show` prints.
    fn read(shown: &'a str) -> Option<Self> {
        let value = |name: &str| {
            let mut lines = shown.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        };
        Some(Self {
            rule: value("Restart").filter(|rule| !rule.is_empty())?,
            prevented: value("RestartPreventExitStatus")?
                .split_whitespace()
                .collect(),
        })
    }

    /// As `systemd.service(5)` has it in the table of `Restart=`.
    fn after(&self, result: &str, status: &str) -> Next {
        let is_status = |prevented: &&str| {
            *prevented == status || prevented.strip_prefix("SIG") == Some(status)
        };
        let restarts = match self.rule {
            _ if self.prevented.iter().any(is_status) => false,
            "no" => false,
            "always" => true,
            "on-success" => result == "success",
            "on-failure" => result != "success",
            "on-abnormal" => !matches!(result, "success" | "exit-code"),
            "on-abort" => matches!(result, "signal" | "core-dump"),
            "on-watchdog" => result == "watchdog",
            _ => return Next::Unknown,
        };
        if restarts { Next::Guard } else { Next::NoGuard }
    }
}

/// The type and state of a unit's job: `12 thermal-guard.service restart running`.
fn job<'a>(jobs: &'a str, unit: &str) -> Option<(&'a str, &'a str)> {
    jobs.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some(unit)).then(|| words.next().zip(words.next()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::flags::ModeFlag;

    const SHIPPED: &str = "Restart=always\nRestartPreventExitStatus=2 78\n";

    fn after(shown: &str, result: &str, status: &str) -> Next {
        Restart::read(shown).map_or(Next::Unknown, |restart| restart.after(result, status))
    }

    #[test]
    fn the_shipped_unit_restarts_after_everything_but_a_mistake() {
        for (result, status, next) in [
            ("success", "0", Next::Guard),
            ("signal", "KILL", Next::Guard),
            ("watchdog", "ABRT", Next::Guard),
            ("oom-kill", "KILL", Next::Guard),
            ("exit-code", "1", Next::Guard),
            ("exit-code", "2", Next::NoGuard),
            ("exit-code", "78", Next::NoGuard),
            ("timeout", "TERM", Next::Guard),
        ] {
            assert_eq!(after(SHIPPED, result, status), next, "{result} {status}");
        }
    }

    #[test]
    fn a_drop_in_that_changes_the_restart_is_followed() {
        for (rule, result, status, next) in [
            ("no", "signal", "KILL", Next::NoGuard),
            ("on-abnormal", "exit-code", "1", Next::NoGuard),
            ("on-abnormal", "timeout", "TERM", Next::Guard),
            ("on-failure", "exit-code", "1", Next::Guard),
            ("on-failure", "success", "0", Next::NoGuard),
            ("on-success", "success", "0", Next::Guard),
            ("on-abort", "signal", "SEGV", Next::Guard),
            ("on-abort", "watchdog", "ABRT", Next::NoGuard),
            ("on-watchdog", "watchdog", "ABRT", Next::Guard),
            ("on-the-moon", "success", "0", Next::Unknown),
        ] {
            let shown = format!("Restart={rule}\nRestartPreventExitStatus=\n");
            assert_eq!(after(&shown, result, status), next, "{rule} {result}");
        }
    }

    #[test]
    fn the_prevented_codes_and_signals_are_the_units_own() {
        let none = "Restart=always\nRestartPreventExitStatus=\n";
        assert_eq!(after(none, "exit-code", "78"), Next::Guard);
        let signal = "RestartPreventExitStatus=1 SIGKILL\nRestart=always\n";
        assert_eq!(after(signal, "signal", "KILL"), Next::NoGuard);
        assert_eq!(after(signal, "exit-code", "1"), Next::NoGuard);
        assert_eq!(after(signal, "exit-code", "2"), Next::Guard);
    }

    #[test]
    fn an_answer_without_the_rule_is_no_answer() {
        for shown in [
            "",
            "Restart=\nRestartPreventExitStatus=\n",
            "Restart=always\n",
        ] {
            assert_eq!(after(shown, "success", "0"), Next::Unknown, "{shown:?}");
        }
    }

    #[test]
    fn the_services_flags_are_split_as_systemd_splits_them() {
        for arguments in [
            "--mode=observe",
            "--log.level=debug --mode observe",
            "--mode 'observe'",
            "\"--mode=observe\"",
        ] {
            let flags = flags_in(arguments);
            let mode = flags.map(|flags| flags.mode);
            assert_eq!(mode, Some(Some(ModeFlag::Observe)), "{arguments}");
        }
        let flags = flags_in("--state.dir=--dry-run-x --nvml.library /opt/nvml.so").unwrap();
        assert!(!flags.dry_run && flags.mode.is_none());
        assert_eq!(
            flags.nvml_library.as_deref(),
            Some(Path::new("/opt/nvml.so"))
        );
        assert!(flags_in("--no-such-flag").is_none());
        assert!(flags_in("--mode='observe").is_none());
    }

    #[test]
    fn only_the_units_own_job_counts() {
        let jobs = "  7 other.service start waiting\n 12 thermal-guard.service restart running\n";
        let ours = Some(("restart", "running"));
        assert_eq!(job(jobs, "thermal-guard.service"), ours);
        assert_eq!(job(jobs, "other.service"), Some(("start", "waiting")));
        assert_eq!(job(jobs, "guard.service"), None);
        assert_eq!(job("", "thermal-guard.service"), None);
        assert_eq!(job("No jobs running.\n", "thermal-guard.service"), None);
    }
    #[test]
    fn the_start_that_has_just_failed_starts_no_other_guard() {
        for (kind, state, is_another) in [
            ("start", "running", false),
            ("start", "waiting", true),
            ("restart", "running", true),
            ("restart", "waiting", true),
            ("try-restart", "running", true),
            ("reload-or-start", "running", false),
            ("reload", "running", false),
            ("verify-active", "waiting", false),
        ] {
            assert_eq!(starts_another(kind, state), is_another, "{kind} {state}");
        }
    }
}
