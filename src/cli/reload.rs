//! `reload`: has the running guard read its configuration again, but only once the files are known to
//! be good, so that whoever asks hears of a mistake. What `systemctl reload` runs; see the unit.
//! What only the guard can refuse is read from its event log. Exit codes: 0 taken over, or asked for and
//! not heard of, 1 not taken over, 78 bad configuration.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::guard::events::{What, history};

use super::{Flags, log, say, serve};

/// A reload takes milliseconds, and one over a disk that hangs is given up after that, too.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LOOKS: u32 = 30;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The running guard's process; systemd says it in the environment.
    #[arg(long, value_name = "PID", env = "MAINPID", value_parser = pid, allow_hyphen_values = true)]
    pid: Option<Pid>,
}

pub(super) fn run(flags: &Flags, options: &Options) -> ExitCode {
    log::start(flags.log_level, flags.log_format);
    if let Err(code) = serve::examine(flags) {
        log::complain(
            "thermal-guard: not reloaded: a running guard keeps the configuration that it has",
        );
        return code;
    }
    super::exit(ask(options.pid, &flags.state_dir()))
}

fn ask(pid: Option<Pid>, state_dir: &Path) -> anyhow::Result<()> {
    let pid = pid.context(
        "the files are good, but which guard is to read them? `systemctl reload thermal-guard` knows its own; for another, name its process with --pid",
    )?;
    let number = pid.as_raw_nonzero();
    // To any other program, this signal may be the end.
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
    match before.and_then(|before| outcome(state_dir, &before)) {
        Some(true) => say("configuration reloaded\n"),
        Some(false) => bail!(
            "the guard refused it and keeps the configuration that it has; its log says why (journalctl -u thermal-guard). A change of `mode`, `alertmanager` or `hook.bearer_token_file` wants a restart"
        ),
        None => say(&format!(
            "process {number} was asked to reload; what came of it is in its log and in thermal_guard_config_last_reload_successful\n"
        )),
    }
}

/// When its guard reloaded, and with what success; `None`: that can't be read.
fn reloads(state_dir: &Path) -> Option<Vec<(Duration, bool)>> {
    let events = history(state_dir).ok()?.events;
    let reloads = events.into_iter().filter_map(|event| match event.what {
        What::Reloaded { ok } => Some((event.time, ok)),
        _ => None,
    });
    Some(reloads.collect())
}

/// `None`: nothing was heard of one since.
fn outcome(state_dir: &Path, before: &[(Duration, bool)]) -> Option<bool> {
    for _ in 0..LOOKS {
        thread::sleep(LOOK_EVERY);
        let now = reloads(state_dir)?;
        if now != before {
            return now.last().map(|(_, ok)| *ok);
        }
    }
    None
}

fn comm(process: &str) -> std::io::Result<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm"))?;
    Ok(name.trim_end().to_owned())
}

/// Of one process: zero and negative numbers mean many.
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
