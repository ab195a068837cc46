//! Waiting for a disk, but not for ever. What doesn't come back costs a thread; the same path isn't
//! asked a second time before it has answered, so that it never costs more than one.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Paths whose reader was given up, and hasn't come back.
static OVERDUE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn overdue() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OVERDUE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A look at a disk, under way.
pub(crate) struct Pending<T> {
    path: PathBuf,
    answer: Receiver<T>,
    /// Of the thread: it has come back.
    back: Arc<Mutex<bool>>,
}

/// Looks on a thread of its own. An error: an earlier look at this path hasn't come back, or there
/// can be no thread.
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
        // Nobody listens any more if this took too long.
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

    /// The answer or, after that time, `None`.
    pub(crate) fn wait(&self, patience: Duration) -> Option<io::Result<T>> {
        match self.answer.recv_timeout(patience) {
            Ok(answer) => Some(Ok(answer)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Err(broke_off())),
        }
    }

    /// Nobody waits for it any more.
    fn give_up(self) {
        // The thread has this lock when it says that it is back: it is overdue, or it is back.
        let back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        if !*back {
            overdue().insert(self.path);
        }
    }
}

fn broke_off() -> io::Error {
    io::Error::other("the look at it broke off: see the log")
}

/// What `look` finds, if it is back in time. `path` is what it looks at.
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

/// Whether this is a disk that didn't answer in time.
pub(crate) fn is_late(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}
