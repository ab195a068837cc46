//! One guard per GPU: an advisory lock per UUID. Its directory doesn't depend on the state directory,
//! so guards with different state directories still see each other. The kernel releases the lock when
//! the process ends, in whatever way.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::process::geteuid;
use thiserror::Error;

use crate::device::Uuid;
use crate::disk::{Dir, lock_file, patiently};

/// How long a lock may take: `/run` answers at once, another place may be on a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

/// A lock of a process that is gone may be there for another moment: what the kernel still writes for it
/// ends first.
const RELEASED_WITHIN: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The lock is held until this is dropped.
#[derive(Debug)]
pub struct GpuLock {
    _file: File,
}

/// Why a GPU can't be locked.
#[derive(Debug, Error)]
pub enum LockError {
    #[error("another thermal-guard{} holds {uuid} ({path}): stop it, or list other GPUs under `gpus`", lock_file::holder(.pid))]
    Held {
        uuid: Uuid,
        path: PathBuf,
        pid: String,
    },
    #[error("{path}: {source}; choose a directory of the guard's own with --lock.dir")]
    Io { path: PathBuf, source: io::Error },
}

impl GpuLock {
    pub fn acquire(directory: &Path, uuid: &Uuid) -> Result<Self, LockError> {
        Self::taken(directory, uuid, true)
    }

    /// The same, without waiting for a process that seems to be gone: it may live in a container.
    pub fn acquire_now(directory: &Path, uuid: &Uuid) -> Result<Self, LockError> {
        Self::taken(directory, uuid, false)
    }

    fn taken(directory: &Path, uuid: &Uuid, waits: bool) -> Result<Self, LockError> {
        let path = directory.join(format!("{uuid}.lock"));
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        let take = || {
            let (its, name) = (directory.to_owned(), file_name(uuid));
            let taken = patiently(&path, PATIENCE, move || {
                // The directory must be the guard's: any user who can open a lock's file can hold the lock.
                warn_of(&its, &Dir::make(&its)?.metadata()?);
                lock_file::take(&its, &name)
            });
            taken.flatten().map_err(io)
        };
        let is_left = |taken: &Result<Result<File, String>, LockError>| {
            waits && matches!(taken, Ok(Err(pid)) if is_gone(pid))
        };
        match once_released(take, is_left)? {
            Ok(file) => Ok(Self { _file: file }),
            Err(pid) => Err(LockError::Held {
                uuid: uuid.clone(),
                path,
                pid,
            }),
        }
    }
}

/// UUIDs come from the driver; even so, this must be a name in this directory.
fn file_name(uuid: &Uuid) -> OsString {
    format!("{uuid}.lock").replace('/', "_").into()
}

/// Says in words who else can write to the lock directory; `None`: no other user.
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

/// Warns once per directory.
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

/// A lock that a running guard holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub uuid: Uuid,
    /// Empty if unknown.
    pub pid: String,
}

/// Looks again, for a moment, while a lock is left of a process that is gone.
fn once_released<T>(mut look: impl FnMut() -> T, is_left: impl Fn(&T) -> bool) -> T {
    let looks = RELEASED_WITHIN.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        let seen = look();
        if !is_left(&seen) {
            return seen;
        }
        thread::sleep(LOOK_EVERY);
    }
    look()
}

/// Nobody has this process id, as far as can be seen from here.
fn is_gone(pid: &str) -> bool {
    !pid.is_empty() && !Path::new("/proc").join(pid).exists()
}

/// All locks in `directory` that are held. A missing directory has none; a directory on a disk that
/// doesn't answer shows none.
pub fn held(directory: &Path) -> Vec<Held> {
    let look = || {
        let its = directory.to_owned();
        let found = patiently(directory, PATIENCE, move || held_in(&its));
        found.flatten().unwrap_or_default()
    };
    once_released(look, |held| held.iter().any(|it| is_gone(&it.pid)))
}

fn held_in(directory: &Path) -> io::Result<Vec<Held>> {
    let dir = Dir::open(directory)?;
    let names = fs::read_dir(directory)?
        .flatten()
        .map(|file| file.file_name());
    let held = names.filter_map(|name| {
        let uuid = Uuid::new(name.to_str()?.strip_suffix(".lock")?);
        let file = dir.file(&name, OFlags::RDONLY, Mode::empty()).ok()?;
        // A shared lock, released at once: this test disturbs no guard.
        let Err(TryLockError::WouldBlock) = file.try_lock_shared() else {
            return None;
        };
        let pid = lock_file::pid_in(&file);
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
