//! Waits for a disk, but not for ever. A call that doesn't return costs a thread. The same path isn't
//! tried again before the earlier call has returned, so a path never costs more than one thread.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long an action waits for the entry in its journal: for a throttle, the protection is worth more
/// than the entry. Chosen; a healthy disk answers in a few milliseconds. Unit tests run many at once on a
/// disk that others use, too: there it is late only if it hangs.
pub(crate) const JOURNAL_PATIENCE: Duration =
    Duration::from_millis(if cfg!(test) { 10_000 } else { 100 });

/// Paths of calls that were given up and haven't returned.
static OVERDUE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn overdue() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OVERDUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A disk access in progress.
pub(crate) struct Pending<T> {
    path: PathBuf,
    answer: Receiver<T>,
    /// Whether the thread has returned.
    back: Arc<Mutex<bool>>,
}

/// Runs `look` on a thread of its own. An error: an earlier call for this path hasn't returned, or no
/// thread can be started.
pub(crate) fn begin<T: Send + 'static>(
    path: &Path,
    look: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Pending<T>> {
    if overdue().contains(path) {
        let error = "the disk still doesn't answer an earlier look: see the kernel's log";
        return Err(io::Error::new(io::ErrorKind::TimedOut, error));
    }
    let (told, answer) = sync_channel(1);
    let back = Arc::new(Mutex::new(false));
    let (is_back, its_path) = (back.clone(), path.to_owned());
    let thread = thread::Builder::new().name("file".to_owned());
    thread.spawn(move || {
        // An error: the caller has stopped waiting.
        let _ = told.send(look());
        let mut is_back = is_back.lock().unwrap_or_else(PoisonError::into_inner);
        *is_back = true;
        overdue().remove(&its_path);
    })?;
    Ok(Pending {
        path: path.to_owned(),
        answer,
        back,
    })
}

impl<T> Pending<T> {
    /// `None`: not yet.
    pub(crate) fn try_take(&self) -> Option<io::Result<T>> {
        match self.answer.try_recv() {
            Ok(answer) => Some(Ok(answer)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(broke_off())),
        }
    }

    /// The answer, or `None` after that time.
    pub(crate) fn wait(&self, patience: Duration) -> Option<io::Result<T>> {
        match self.answer.recv_timeout(patience) {
            Ok(answer) => Some(Ok(answer)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(broke_off())),
        }
    }

    /// The caller stops waiting.
    fn give_up(self) {
        // The thread takes this lock to say that it has returned, so it is either overdue or back.
        let back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        if !*back {
            overdue().insert(self.path);
        }
    }
}

fn broke_off() -> io::Error {
    io::Error::other("the look at it broke off: see the log")
}

/// The result of `look`, if it returns in time. `path` is the path that it accesses.
pub(crate) fn patiently<T: Send + 'static>(
    path: &Path,
    patience: Duration,
    look: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let pending = begin(path, look)?;
    pending.wait(patience).unwrap_or_else(|| {
        pending.give_up();
        let error = format!("the disk didn't answer within {patience:?}: see the kernel's log");
        Err(io::Error::new(io::ErrorKind::TimedOut, error))
    })
}

/// Whether the error means that a disk didn't answer in time.
pub(crate) fn is_late(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}
