//! The paths that the service's unit lets it write, as systemd reports them: this check runs outside
//! that sandbox and sees more of the disk. Without systemd or such a unit, there is no finding.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::apps::envfile::{drop_in, hidden_by};

/// systemd answers from memory. If it doesn't answer, the check continues without it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Maximum length of systemd's answer.
const MAX_BYTES: u64 = 64 * 1024;

const ASK: [&str; 12] = [
    "show",
    "thermal-guard",
    "-pLoadState",
    "-pProtectSystem",
    "-pProtectHome",
    "-pPrivateTmp",
    "-pReadWritePaths",
    "-pReadOnlyPaths",
    "-pInaccessiblePaths",
    "-pBindPaths",
    "-pStateDirectory",
    "-pRuntimeDirectory",
];

pub(crate) struct Sandbox(BTreeMap<String, String>);

impl Sandbox {
    pub(crate) fn of_service() -> Option<Self> {
        Self::parse(&ask()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let all = pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned()));
        let sandbox = Self(all.collect());
        (sandbox.is("LoadState") == "loaded").then_some(sandbox)
    }

    /// Why the service can't replace the file, and the remedy. `None`: as far as is known, it can.
    pub(crate) fn refuses(&self, path: &Path) -> Option<(String, String)> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // The guard replaces the file, so it writes to the directory.
        let directory = path.parent().unwrap_or(&path);
        let shown = self.paths("BindPaths").map(|path| {
            let text = path.to_string_lossy();
            PathBuf::from(text.split(':').nth(1).unwrap_or(&text))
        });
        let shown = deepest(shown, directory);
        let hider = hidden_by(directory).filter(|_| shown.is_none());
        if let Some(option) = hider
            && ["yes", "tmpfs", "disconnected"].contains(&self.is(option))
        {
            let value = self.is(option);
            return Some((
                format!("the service doesn't see it ({option}={value})"),
                drop_in(&path, hider),
            ));
        }
        let own = [("StateDirectory", "/var/lib"), ("RuntimeDirectory", "/run")];
        let own = own.into_iter().flat_map(|(key, root)| {
            let names = self.paths(key);
            names.map(move |name| Path::new(root).join(name))
        });
        let writable = deepest(self.paths("ReadWritePaths").chain(own), directory).max(shown);
        let closed = self.paths("ReadOnlyPaths");
        let closed = closed.chain(self.paths("InaccessiblePaths"));
        let closed = deepest(closed, directory).max(self.system(directory));
        let (depth, option) = match (closed, hider) {
            // The home directories are read-only.
            (None, Some("ProtectHome")) if self.is("ProtectHome") == "read-only" => {
                (1, "ProtectHome")
            }
            (Some(depth), _) => (depth, "ProtectSystem"),
            (None, _) => return None,
        };
        if writable.is_some_and(|writable| writable >= depth) {
            return None;
        }
        let value = self.is(option);
        let hider = hider.filter(|hider| self.is(hider) == "read-only");
        Some((
            format!("it is read-only to the service ({option}={value})"),
            drop_in(&path, hider),
        ))
    }

    /// The depth of the directory that `ProtectSystem=` makes read-only here.
    fn system(&self, directory: &Path) -> Option<usize> {
        let roots: &[&str] = match self.is("ProtectSystem") {
            // All directories except the kernel's.
            "strict" => {
                let kernels = ["/dev", "/proc", "/sys"];
                let is_kernels = kernels.iter().any(|root| directory.starts_with(root));
                return (!is_kernels).then_some(0);
            }
            "full" => &["/usr", "/boot", "/efi", "/etc"],
            "yes" => &["/usr", "/boot", "/efi"],
            _ => &[],
        };
        deepest(roots.iter().map(PathBuf::from), directory)
    }

    fn is(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn paths(&self, key: &str) -> impl Iterator<Item = PathBuf> + use<> {
        let words = words(self.is(key));
        // `-` marks a path that need not exist, `+` one below the unit's root.
        let plain = |word: String| PathBuf::from(word.trim_start_matches(['-', '+']));
        words.into_iter().map(plain)
    }
}

/// The number of names in the longest of the roots that contain `path`.
fn deepest(roots: impl Iterator<Item = PathBuf>, path: &Path) -> Option<usize> {
    let above = roots.filter(|root| !root.as_os_str().is_empty() && path.starts_with(root));
    above.map(|root| root.components().count() - 1).max()
}

/// Splits a list as systemd writes it: words with blanks are in quotes.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for letter in text.chars() {
        match letter {
            _ if std::mem::take(&mut escaped) => word.push(letter),
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[expect(
    clippy::disallowed_methods,
    reason = "a person's command asks systemd; the guard itself starts no program"
)]
fn ask() -> Option<String> {
    let mut systemctl = Command::new("systemctl")
        .args(ASK)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let said = systemctl.stdout.take()?;
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut text = String::new();
        let read = said.take(MAX_BYTES).read_to_string(&mut text);
        // An error: the receiver has stopped waiting.
        let _ = tell.send(read.map(|_| text));
    });
    let text = told.recv_timeout(PATIENCE).ok();
    // It has closed its output or is too late: ending it loses nothing.
    let _ = systemctl.kill();
    let _ = systemctl.wait();
    text?.ok()
}

#[cfg(test)]
mod tests;
