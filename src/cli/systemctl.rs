//! Questions to systemd, by `systemctl`, each with a deadline.

use std::env;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::clock::Clock;

/// How long systemd may take to answer. A restart waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where distributions install it.
const SYSTEMCTL: [&str; 2] = ["/usr/bin/systemctl", "/bin/systemctl"];

/// A stand-in, for tests on a machine without systemd. Only root sets a service's environment.
const STAND_IN: &str = "THERMAL_GUARD_SYSTEMCTL";

/// What `systemctl` prints, if it succeeds in time.
pub(super) fn ask(arguments: &[&str]) -> Option<String> {
    said(arguments).and_then(|(text, succeeded)| succeeded.then_some(text))
}

/// What `systemctl` prints in time, and whether it succeeded.
pub(super) fn said(arguments: &[&str]) -> Option<(String, bool)> {
    let installed = || {
        SYSTEMCTL
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
    };
    let systemctl = env::var_os(STAND_IN).map(PathBuf::from).or_else(installed);
    let child = program(&systemctl?)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.ok()?;
    let Some(succeeded) = wait(&mut child) else {
        let _ = child.kill();
        let _ = child.wait();
        return None;
    };
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    Some((text, succeeded))
}

#[expect(
    clippy::disallowed_methods,
    reason = "no guard runs any more; the alternative is a D-Bus client in a program for GPUs"
)]
fn program(path: &Path) -> Command {
    Command::new(path)
}

/// Whether the program succeeded; `None` if it hasn't ended in time. Its few lines fit into the pipe,
/// which is read only afterwards.
fn wait(child: &mut Child) -> Option<bool> {
    let clock = Clock::start(1.0);
    let deadline = clock.wall() + PATIENCE;
    while clock.wall() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) => thread::sleep(Duration::from_millis(5)),
            Err(_) => return None,
        }
    }
    None
}
