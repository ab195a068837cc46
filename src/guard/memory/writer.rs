//! Puts the newest record on disk, on a thread of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::record::Record;
use crate::disk::atomic_file::replace;
use crate::disk::{lock_file, patiently};

/// How long the lock may take: a start doesn't wait for a disk that hangs.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Pending {
    /// The record that isn't written yet.
    latest: Option<Record>,
    writing: bool,
}

/// The writer of one file. Its thread ends with the process.
#[derive(Clone)]
pub(crate) struct Writer {
    shared: Arc<(Mutex<Pending>, Condvar)>,
}

impl Writer {
    /// `None`: another guard writes the file.
    pub(crate) fn start(path: PathBuf) -> io::Result<Option<Self>> {
        let lock = match locked(&path) {
            Ok(None) => return Ok(None),
            Ok(lock) => lock,
            // A full disk may have room later: without the lock, but not without memory.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the record of operators' leases and pauses can't be locked: don't start a second guard in this --state.dir");
                None
            }
        };
        let shared = Arc::new((Mutex::new(Pending::default()), Condvar::new()));
        let its = shared.clone();
        let thread = thread::Builder::new().name("memory".to_owned());
        thread.spawn(move || {
            // Held for as long as the process lives.
            let _lock = lock;
            write_all(&its, &path);
        })?;
        Ok(Some(Self { shared }))
    }

    pub(crate) fn write(&self, record: Record) {
        let (pending, changed) = &*self.shared;
        lock(pending).latest = Some(record);
        changed.notify_all();
    }

    /// Waits until everything is written, but no longer than `patience`.
    pub(crate) fn settle(&self, patience: Duration) {
        let (pending, changed) = &*self.shared;
        let busy = |pending: &mut Pending| pending.latest.is_some() || pending.writing;
        let _ = changed.wait_timeout_while(lock(pending), patience, busy);
    }
}

/// The lock beside the file. The kernel releases it when the process ends, however it ends.
fn locked(path: &Path) -> io::Result<Option<File>> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let (directory, mut lock) = (directory.to_owned(), name.to_owned());
    lock.push(".lock");
    let taken = patiently(path, PATIENCE, move || lock_file::take(&directory, &lock));
    Ok(taken.flatten()?.ok())
}

fn write_all((pending, changed): &(Mutex<Pending>, Condvar), path: &Path) {
    let mut failing = false;
    loop {
        let nothing = |pending: &mut Pending| pending.latest.is_none();
        let mut waiting = changed
            .wait_while(lock(pending), nothing)
            .unwrap_or_else(PoisonError::into_inner);
        let record = waiting.latest.take();
        waiting.writing = true;
        drop(waiting);
        let written = serde_json::to_vec_pretty(&record)
            .map_err(io::Error::from)
            .and_then(|text| replace(path, &text, None));
        if let Err(error) = &written
            && !failing
        {
            tracing::warn!(path = %path.display(), %error, "operators' leases and pauses aren't remembered over a restart: make --state.dir writable");
        }
        failing = written.is_err();
        lock(pending).writing = false;
        changed.notify_all();
    }
}

fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
    pending.lock().unwrap_or_else(PoisonError::into_inner)
}
