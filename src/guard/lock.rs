//! One guard per GPU: an advisory lock per UUID, in a directory that doesn't depend on the state
//! directory, so that two guards with different ones still see each other. The kernel lets go of
//! it when the process ends, however it ends.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::device::Uuid;

/// Held for as long as this lives.
#[derive(Debug)]
pub struct GpuLock {
    _file: File,
}

/// Why a GPU can't be had.
#[derive(Debug, Error)]
pub enum LockError {
    #[error("another thermal-guard{} holds {uuid} ({path}): stop it, or list other GPUs under `gpus`", holder(.pid))]
    Held {
        uuid: Uuid,
        path: PathBuf,
        pid: String,
    },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

fn holder(pid: &str) -> String {
    if pid.is_empty() {
        String::new()
    } else {
        format!(" (pid {pid})")
    }
}

impl GpuLock {
    pub fn acquire(directory: &Path, uuid: &Uuid) -> Result<Self, LockError> {
        let path = directory.join(format!("{uuid}.lock"));
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        // Nobody else's: whoever can open a lock's file can hold it against us.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io)?;
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only to tell who: an unreadable file is an unknown holder.
                let _ = file.read_to_string(&mut pid);
                return Err(LockError::Held {
                    uuid: uuid.clone(),
                    path,
                    pid: pid.trim().to_owned(),
                });
            }
        }
        let write = file.set_len(0).and_then(|()| file.rewind());
        write
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(io)?;
        Ok(Self { _file: file })
    }
}

/// A lock that a running guard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub uuid: Uuid,
    /// Empty if it can't be told.
    pub pid: String,
}

/// All locks in `directory` that somebody holds. A missing directory holds none.
pub fn held(directory: &Path) -> Vec<Held> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let held = files.filter_map(|file| {
        let path = file.path();
        let is_lock = path.extension().is_some_and(|kind| kind == "lock");
        let uuid = Uuid::new(path.file_stem().filter(|_| is_lock)?.to_str()?);
        let mut file = File::open(&path).ok()?;
        // Shared and let go of at once: asking takes nothing from anybody.
        let Err(TryLockError::WouldBlock) = file.try_lock_shared() else {
            return None;
        };
        let mut pid = String::new();
        let _ = file.read_to_string(&mut pid);
        let pid = pid.trim().to_owned();
        Some(Held { uuid, pid })
    });
    held.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_guard_is_told_who_holds_the_gpu() {
        let dir = tempfile::tempdir().expect("tempdir");
        let uuid = Uuid::new("GPU-1");
        let first = GpuLock::acquire(dir.path(), &uuid).expect("free");
        let second = GpuLock::acquire(dir.path(), &uuid)
            .expect_err("held")
            .to_string();
        assert!(
            second.contains(&format!("pid {}", std::process::id())),
            "{second}"
        );
        GpuLock::acquire(dir.path(), &Uuid::new("GPU-2")).expect("another GPU");
        let pid = std::process::id().to_string();
        let uuid_held = uuid.clone();
        let ours = Held {
            uuid: uuid_held,
            pid,
        };
        assert_eq!(held(dir.path()), [ours], "GPU-2's is free again");
        drop(first);
        GpuLock::acquire(dir.path(), &uuid).expect("free again");
    }
}
