//! `reload`: checks the files first, so that the caller learns of a mistake, and then asks the running
//! guard to read its configuration again. `systemctl reload` runs this; see the unit. The guard's own
//! refusal is read from its event log. Exit codes: 0 reloaded, or asked for without a known result; 1
//! not reloaded; 78 bad configuration.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::flags::Flags;
use crate::cli::output::{exit_code, say};
use crate::cli::style::plain;
use crate::cli::{log, setup};
use crate::events::{What, history};

/// A reload takes milliseconds; this also covers one that the guard gives up because a disk hangs.
const CHECK_EVERY: Duration = Duration::from_millis(200);
const CHECKS: u32 = 30;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Process id of the running guard; systemd sets it in the environment.
    #[arg(long, value_name = "PID", env = "MAINPID", value_parser = pid, allow_hyphen_values = true)]
    pid: Option<Pid>,
}

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    if let Err(code) = setup::examine(flags) {
        log::complain(
            "thermal-guard: not reloaded: a running guard keeps the configuration that it has",
        );
        return code;
    }
    exit_code(ask(options.pid, &flags.state_dir()))
}

fn ask(pid: Option<Pid>, state_dir: &Path) -> anyhow::Result<()> {
    let pid = pid.context(
        "the files are good, but which guard is to read them? `systemctl reload thermal-guard` knows its own; for another, name its process with --pid",
    )?;
    let number = pid.as_raw_nonzero();
    // This signal may end any other program.
    if let (Ok(theirs), Ok(own)) = (comm(&number.to_string()), comm("self"))
        && theirs != own
    {
        bail!(
            "process {number} is {theirs:?}, not a thermal-guard: nothing sent; see `systemctl status thermal-guard` for its PID"
        );
    }
    let before = reloads(state_dir);
    match kill_process(pid, Signal::HUP) {
        Ok(()) => {}
        Err(Errno::SRCH) => {
            bail!("there is no process {number}: start the guard, or name the right one with --pid")
        }
        Err(Errno::PERM) => bail!("process {number} is another user's: run this as root"),
        Err(error) => {
            bail!("process {number} can't be asked ({error}): restart the service instead")
        }
    }
    let outcome = match before {
        Some(before) => outcome(number.get(), state_dir, &before)?,
        None => None,
    };
    match outcome {
        Some(Outcome::Reloaded) => say("configuration reloaded\n"),
        Some(Outcome::Refused(Some(why))) => bail!(
            "the guard refused it and keeps the configuration that it has: {}",
            plain(&why)
        ),
        Some(Outcome::Refused(None)) => bail!(
            "the guard refused it and keeps the configuration that it has; its log says why (journalctl -u thermal-guard). A change of `mode`, `alertmanager` or `hook.bearer_token_file` needs a restart"
        ),
        None => say(&format!(
            "process {number} was asked to reload; what came of it is in its log and in thermal_guard_config_last_reload_successful\n"
        )),
    }
}

/// What came of a reload.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Reloaded,
    /// And why, as in the guard's log; an older guard doesn't tell it here.
    Refused(Option<String>),
}

/// The times and results of reloads. `None`: the log can't be read.
fn reloads(state_dir: &Path) -> Option<Vec<(Duration, Outcome)>> {
    let events = history(state_dir).ok()?.events;
    let reloads = events.into_iter().filter_map(|event| match event.what {
        What::Reloaded { ok: true, .. } => Some((event.time, Outcome::Reloaded)),
        What::Reloaded { ok: false, detail } => {
            let why = detail.map(|why| why.to_string());
            Some((event.time, Outcome::Refused(why)))
        }
        _ => None,
    });
    Some(reloads.collect())
}

/// `None`: no result of a new reload came.
fn outcome(
    process: i32,
    state_dir: &Path,
    before: &[(Duration, Outcome)],
) -> anyhow::Result<Option<Outcome>> {
    for _ in 0..CHECKS {
        thread::sleep(CHECK_EVERY);
        // Asked first: what it wrote before its end is in the log then.
        let is_gone = comm(&process.to_string()).is_err();
        let Some(now) = reloads(state_dir) else { break };
        if now != before {
            return Ok(now.last().map(|(_, outcome)| outcome.clone()));
        }
        if is_gone {
            bail!(
                "process {process} ended before it had reloaded: see its log (journalctl -u thermal-guard)"
            );
        }
    }
    Ok(None)
}

fn comm(process: &str) -> std::io::Result<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm"))?;
    Ok(name.trim_end().to_owned())
}

/// The id of one process: zero and negative numbers mean several.
fn pid(text: &str) -> Result<Pid, String> {
    let number = text.parse().ok().filter(|number| *number > 1);
    let pid = number.and_then(Pid::from_raw);
    pid.ok_or_else(|| "the number of one process, above 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_one_and_not_the_first() {
        assert!(pid("4711").is_ok());
        for bad in ["0", "1", "-1", "", "4711 ", "99999999999", "guard"] {
            assert!(pid(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn another_program_is_not_sent_what_may_end_it() {
        // The kernel's own thread for new threads.
        let error = ask(Pid::from_raw(2), Path::new("/nonexistent"))
            .unwrap_err()
            .to_string();
        assert!(error.contains('2'), "{error}");
    }
}
