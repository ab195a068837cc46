//! What systemd is about to do with the guard's unit: start it again, or leave it down. A GPU is given
//! back for good only where no guard follows.
//!
//! Whether one does is known when the service has ended: by what it ended with, and by the job that is
//! queued for the unit. So a guard that is stopped by its unit leaves what is throttled to
//! `thermal-guard restore` in `ExecStopPost=`, which asks.

use std::env;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::guard::Clock;

/// The unit sets this to its own name. Not set: nobody starts us again, as far as anybody knows.
const UNIT: &str = "THERMAL_GUARD_UNIT";

/// How long systemd may take to answer. A restart waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where distributions have it.
const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// The flags that `/etc/default/thermal-guard` has for the service.
const FLAGS: &str = "ARGS";

/// What comes after this guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another one: it goes on from the journal.
    Guard,
    /// The machine goes down, and with it what was set.
    Shutdown,
    Nobody,
    /// It should be known, and isn't.
    Unknown,
}

/// Whether the unit looks after what is throttled when its guard ends.
pub(super) fn looks_after_the_end() -> bool {
    env::var_os(UNIT).is_some()
}

/// Whether the service's flags say that its guard only observes.
pub(super) fn is_told_to_observe() -> bool {
    env::var(FLAGS).is_ok_and(|flags| says_observe(&flags))
}

fn says_observe(flags: &str) -> bool {
    let mut words = flags.split_whitespace();
    while let Some(word) = words.next() {
        let observes = match word {
            "--dry-run" | "--mode=observe" => true,
            "--mode" => words.next() == Some("observe"),
            _ => false,
        };
        if observes {
            return true;
        }
    }
    false
}

/// In `ExecStopPost=`, when the guard has ended.
pub(super) fn after_end() -> Next {
    let (Ok(unit), Ok(result)) = (env::var(UNIT), env::var("SERVICE_RESULT")) else {
        return Next::Nobody;
    };
    let status = env::var("EXIT_STATUS").unwrap_or_default();
    match fate(&result, &status) {
        Some(next) => next,
        None => queued(&unit),
    }
}

/// What the end itself says. The unit has `Restart=always`, but for the exit codes of a wrong command
/// line or configuration.
fn fate(result: &str, status: &str) -> Option<Next> {
    match (result, status) {
        ("success", _) => None,
        // A start that failed this way isn't tried again.
        (_, "2" | "78") => Some(Next::Nobody),
        _ => Some(Next::Guard),
    }
}

/// By the job that waits for the unit.
fn queued(unit: &str) -> Next {
    let jobs = ask(&["list-jobs", "--no-legend", "--plain", "--full"]);
    let Some(jobs) = jobs else {
        return Next::Unknown;
    };
    match job(&jobs, unit) {
        // It ended by itself: `Restart=always` starts it again.
        None => Next::Guard,
        Some(job) if job.contains("start") => Next::Guard,
        Some(_) => match ask(&["is-system-running"]) {
            Some(state) if state.trim() == "stopping" => Next::Shutdown,
            Some(_) => Next::Nobody,
            None => Next::Unknown,
        },
    }
}

/// The type of a unit's job: `12 thermal-guard.service restart running`.
fn job<'a>(jobs: &'a str, unit: &str) -> Option<&'a str> {
    jobs.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some(unit)).then(|| words.next())?
    })
}

/// What `systemctl` prints, whatever its exit code, if it comes in time.
fn ask(arguments: &[&str]) -> Option<String> {
    let systemctl = SYSTEMCTL.iter().map(Path::new).find(|path| path.exists());
    let child = program(systemctl?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.ok()?;
    let ended = wait(&mut child);
    if !ended {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    }
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    (!text.is_empty() || arguments.first() == Some(&"list-jobs")).then_some(text)
}

#[expect(
    clippy::disallowed_methods,
    reason = "no guard runs any more; the alternative is a D-Bus client in a program for GPUs"
)]
fn program(path: &Path) -> Command {
    Command::new(path)
}

/// True: it has ended. A few lines fit into the pipe that nobody reads until then.
fn wait(child: &mut Child) -> bool {
    let clock = Clock::start(1.0);
    let deadline = clock.wall() + PATIENCE;
    while clock.wall() < deadline {
        match child.try_wait() {
            Ok(Some(_)) => return true,
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_is_followed_by_another_guard_and_a_wrong_configuration_by_nobody() {
        for (result, status, next) in [
            ("success", "0", None),
            ("signal", "KILL", Some(Next::Guard)),
            ("watchdog", "ABRT", Some(Next::Guard)),
            ("oom-kill", "KILL", Some(Next::Guard)),
            ("exit-code", "1", Some(Next::Guard)),
            ("exit-code", "2", Some(Next::Nobody)),
            ("exit-code", "78", Some(Next::Nobody)),
            ("timeout", "TERM", Some(Next::Guard)),
        ] {
            assert_eq!(fate(result, status), next, "{result} {status}");
        }
    }

    #[test]
    fn flags_that_only_observe_are_known() {
        for flags in [
            "--mode=observe",
            "--log.level=debug --mode observe",
            "--dry-run",
        ] {
            assert!(says_observe(flags), "{flags}");
        }
        for flags in ["", "--mode=enforce", "--state.dir=--dry-run-x", "observe"] {
            assert!(!says_observe(flags), "{flags}");
        }
    }

    #[test]
    fn the_units_own_job_counts() {
        let jobs = "  7 other.service start waiting\n 12 thermal-guard.service restart running\n";
        assert_eq!(job(jobs, "thermal-guard.service"), Some("restart"));
        assert_eq!(job(jobs, "other.service"), Some("start"));
        assert_eq!(job(jobs, "guard.service"), None);
        assert_eq!(job("", "thermal-guard.service"), None);
        assert_eq!(job("No jobs running.\n", "thermal-guard.service"), None);
    }
}
