//! One guard per state directory: two guards would write one event log, and its report would tell of a
//! death that never was. A guard that only observes may share the directory with one that acts, because
//! the report tells these two apart; so each mode has a lock of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use super::{lock_file, patiently};

/// A start doesn't wait for a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// The lock is held until this is dropped.
#[derive(Debug)]
pub(crate) struct StateLock {
    _file: File,
}

/// Why a state directory can't be used.
#[derive(Debug, Error)]
pub(crate) enum StateLockError {
    #[error("another thermal-guard{} uses the state directory {path}: stop it, or give this one a directory of its own with --state.dir, and a port with --web.listen-address", lock_file::holder(.pid))]
    Held { path: PathBuf, pid: String },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl StateLock {
    /// `observes`: for a guard that writes to no GPU.
    pub(crate) fn acquire(directory: &Path, observes: bool) -> Result<Self, StateLockError> {
        let name = if observes {
            "observer.pid"
        } else {
            "guard.pid"
        };
        let its = directory.to_owned();
        let taken = patiently(directory, PATIENCE, move || {
            lock_file::take(&its, OsStr::new(name))
        });
        let path = directory.to_owned();
        match taken.flatten() {
            Ok(Ok(file)) => Ok(Self { _file: file }),
            Ok(Err(pid)) => Err(StateLockError::Held { path, pid }),
            Err(source) => Err(StateLockError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_one_guards_and_one_observers() {
        let dir = tempfile::tempdir().expect("tempdir");
        let first = StateLock::acquire(dir.path(), false).expect("free");
        let second = StateLock::acquire(dir.path(), false).expect_err("held");
        let said = second.to_string();
        let pid = format!("pid {}", std::process::id());
        assert!(
            said.contains(&pid) && said.contains("--state.dir"),
            "{said}"
        );
        let observer = StateLock::acquire(dir.path(), true).expect("beside it");
        StateLock::acquire(dir.path(), true).expect_err("held");
        drop((first, observer));
        StateLock::acquire(dir.path(), false).expect("free again");
    }

    #[test]
    fn a_directory_that_can_t_be_made_is_no_other_guard() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("file");
        std::fs::write(&file, "").expect("file");
        let error = StateLock::acquire(&file.join("state"), false).expect_err("no directory");
        assert!(matches!(error, StateLockError::Io { .. }), "{error}");
    }
}
