//! One guard per GPU: an advisory lock per UUID, in a directory that doesn't depend on the state
//! directory, so that two guards with different ones still see each other. The kernel lets go of
//! it when the process ends, however it ends.
//!
//! The directory may belong to somebody else, who can put there what he likes: nothing but a file of
//! one name is ever written to, and a link is no lock.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use thiserror::Error;

use crate::device::Uuid;
use crate::files::{Dir, NotAFile, patiently};

/// How long a lock may take: `/run` answers at once, another place may be on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// A process id and a newline are shorter.
const LONGEST_PID: u64 = 32;

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
    #[error("{path}: {source}; choose a directory of the guard's own with --lock.dir")]
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
        let its = directory.to_owned();
        let name = file_name(uuid);
        let taken = patiently(&path, PATIENCE, move || take(&its, &name));
        match taken.flatten().map_err(io)? {
            Ok(file) => Ok(Self { _file: file }),
            Err(pid) => Err(LockError::Held {
                uuid: uuid.clone(),
                path,
                pid,
            }),
        }
    }
}

/// UUIDs come from the driver, and still: a name in this directory.
fn file_name(uuid: &Uuid) -> OsString {
    format!("{uuid}.lock").replace('/', "_").into()
}

/// The lock's file or, of one that is held, who holds it.
fn take(directory: &Path, name: &OsStr) -> io::Result<Result<File, String>> {
    // Nobody else's: whoever can open a lock's file can hold it against us.
    let dir = Dir::make(directory)?;
    warn_of(directory, &dir.metadata()?);
    let mut file = opened(&dir, name)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::Error(source)) => return Err(source),
        Err(TryLockError::WouldBlock) => return Ok(Err(pid_in(&file))),
    }
    // By another name it may be anybody's file: a lock all the same, but nothing to write to.
    if file.metadata()?.nlink() == 1 {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
    }
    Ok(Ok(file))
}

/// What stands there under the lock's name and is none goes: no guard holds a lock by it.
fn opened(dir: &Dir, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE;
    let mode = Mode::RUSR | Mode::WUSR;
    match dir.file(name, flags, mode) {
        Err(error) if NotAFile::is_why(&error) => {
            let file = name.to_string_lossy();
            tracing::warn!(%file, %error, "no lock of a guard under its name: taken away; see who may write to --lock.dir");
            dir.remove(name)?;
            dir.file(name, flags | OFlags::EXCL, mode)
        }
        other => other,
    }
}

/// Whoever else may write to the lock directory, in words; `None`: nobody.
pub(crate) fn trouble_with(directory: &Metadata) -> Option<String> {
    let (owner, own) = (directory.uid(), geteuid().as_raw());
    if owner != own && owner != 0 {
        return Some(format!(
            "it belongs to user {owner}, who can keep the guard from a GPU"
        ));
    }
    let mode = directory.mode() & 0o7777;
    (mode & 0o022 != 0).then(|| {
        format!("its mode is {mode:04o}: others can write to it, and keep the guard from a GPU")
    })
}

/// Once for each directory.
fn warn_of(directory: &Path, metadata: &Metadata) {
    static SAID: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let Some(trouble) = trouble_with(metadata) else {
        return;
    };
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(directory.to_owned()) {
        tracing::warn!(path = %directory.display(), trouble, "the lock directory isn't the guard's alone: chown it to the guard's user and chmod 0700 it, or choose another with --lock.dir");
    }
}

/// Only to tell who: what can't be read, or is no process id, is an unknown holder. The file may be
/// anybody's, and what is in it isn't repeated.
fn pid_in(file: &File) -> String {
    let mut text = String::new();
    let read = file.take(LONGEST_PID).read_to_string(&mut text);
    let pid = text.trim();
    let is_one = read.is_ok() && pid.bytes().all(|b| b.is_ascii_digit());
    if is_one { pid } else { "" }.to_owned()
}

/// A lock that a running guard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub uuid: Uuid,
    /// Empty if it can't be told.
    pub pid: String,
}

/// All locks in `directory` that somebody holds. A missing directory holds none, and one on a disk
/// that doesn't answer shows none.
pub fn held(directory: &Path) -> Vec<Held> {
    let its = directory.to_owned();
    let found = patiently(directory, PATIENCE, move || held_in(&its));
    found.flatten().unwrap_or_default()
}

fn held_in(directory: &Path) -> io::Result<Vec<Held>> {
    let dir = Dir::open(directory)?;
    let names = fs::read_dir(directory)?
        .flatten()
        .map(|file| file.file_name());
    let held = names.filter_map(|name| {
        let uuid = Uuid::new(name.to_str()?.strip_suffix(".lock")?);
        let file = dir.file(&name, OFlags::RDONLY, Mode::empty()).ok()?;
        // Shared and let go of at once: asking takes nothing from anybody.
        let Err(TryLockError::WouldBlock) = file.try_lock_shared() else {
            return None;
        };
        let pid = pid_in(&file);
        Some(Held { uuid, pid })
    });
    Ok(held.collect())
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

    /// Whoever can write to the directory must not make root write elsewhere, nor keep it out by a
    /// name alone.
    #[test]
    fn what_is_no_lock_is_neither_followed_nor_written_to_nor_in_the_way() {
        let dir = tempfile::tempdir().expect("tempdir");
        let theirs = dir.path().join("theirs");
        fs::write(&theirs, "a secret of somebody's").expect("file");
        let locks = dir.path().join("locks");
        fs::create_dir(&locks).expect("directory");
        let pipe = || {
            let path = locks.join("GPU-pipe.lock");
            rustix::fs::mkfifoat(rustix::fs::CWD, path, Mode::RUSR | Mode::WUSR).expect("pipe");
        };
        std::os::unix::fs::symlink(&theirs, locks.join("GPU-link.lock")).expect("link");
        std::os::unix::fs::symlink("/nowhere/at/all", locks.join("GPU-loose.lock")).expect("link");
        fs::hard_link(&theirs, locks.join("GPU-hard.lock")).expect("hard link");
        pipe();
        for name in ["link", "loose", "hard", "pipe"] {
            let uuid = Uuid::new(&format!("GPU-{name}"));
            let lock = GpuLock::acquire(&locks, &uuid);
            let lock = lock.unwrap_or_else(|error| panic!("{name}: {error}"));
            let second = GpuLock::acquire(&locks, &uuid)
                .expect_err("held")
                .to_string();
            assert!(second.contains("another thermal-guard"), "{second}");
            assert!(!second.contains("secret"), "{second}");
            assert_eq!(held(&locks).len(), 1, "{name}");
            drop(lock);
        }
        let kept = fs::read_to_string(&theirs).expect("file");
        assert_eq!(kept, "a secret of somebody's");
        assert!(!Path::new("/nowhere/at/all").exists());
    }

    #[test]
    fn a_directory_in_a_locks_place_is_said() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::create_dir_all(dir.path().join("GPU-1.lock/full")).expect("directory");
        let error = GpuLock::acquire(dir.path(), &Uuid::new("GPU-1")).expect_err("no lock");
        assert!(error.to_string().contains("--lock.dir"), "{error}");
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_told_of() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("tempdir");
        let mode = |mode| {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).expect("mode");
            trouble_with(&fs::metadata(dir.path()).expect("metadata"))
        };
        assert_eq!(mode(0o700), None);
        assert_eq!(mode(0o755), None);
        assert!(mode(0o770).is_some_and(|it| it.contains("0770")));
        assert!(mode(0o1777).is_some());
    }
}
