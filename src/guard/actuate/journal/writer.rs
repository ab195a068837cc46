//! The journal of one GPU, and the thread that writes it.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::device::Uuid;
use crate::disk::JOURNAL_PATIENCE;

use super::dirs::JournalDirs;
use super::entry::Entry;
use super::error::JournalError;
use super::files;
use super::spare::Spare;

/// The journal of one GPU. Its clones share the writer, so their entries have one order.
#[derive(Clone)]
pub struct Journal {
    pub(super) writer: Writer,
    /// The last recorded entry, whether the disk took it or not.
    pub(super) latest: Arc<Mutex<Option<Entry>>>,
    /// The entry of a guard before this one couldn't be read yet: nothing is written over it.
    pub(super) unread: Arc<AtomicBool>,
    pub(super) spare: Option<Arc<Spare>>,
}

/// Where an entry was written.
#[derive(Debug)]
pub enum Written {
    InPlace,
    /// The state directory didn't take it, and why.
    InSpare(JournalError),
}

#[derive(Clone)]
pub(super) enum Writer {
    Thread(SyncSender<Request>),
    /// The thread couldn't be started: the same as a disk that fails.
    Failed(Arc<io::Error>),
    /// Nothing is written.
    Unwanted,
}

pub(super) struct Request {
    entry: Entry,
    done: SyncSender<Result<(), JournalError>>,
}

impl Journal {
    /// A journal with its own writer thread, which ends with the last clone.
    pub fn open(dirs: &JournalDirs, uuid: &Uuid) -> Self {
        let path = dirs.path_of(uuid);
        // Two, so that an entry without a waiter doesn't block one with a waiter.
        let (requests, queue) = sync_channel::<Request>(2);
        let thread = thread::Builder::new().name("journal".to_owned());
        let writer = match thread.spawn(move || write_all(&path, &queue)) {
            Ok(_) => Writer::Thread(requests),
            Err(error) => Writer::Failed(Arc::new(error)),
        };
        Self {
            writer,
            latest: Arc::default(),
            unread: Arc::default(),
            spare: dirs.spare_of(uuid).map(|path| Arc::new(Spare::new(path))),
        }
    }

    /// A journal that remembers nothing: simulated GPUs vanish with the process.
    pub fn none() -> Self {
        Self {
            writer: Writer::Unwanted,
            latest: Arc::default(),
            unread: Arc::default(),
            spare: None,
        }
    }

    /// The last recorded entry, even if the disk refused it. `None` if there never was one.
    pub fn latest(&self) -> Option<Entry> {
        let latest = self.latest.lock();
        latest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets whether the file hasn't been read yet, and so must not be overwritten.
    pub(crate) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::SeqCst);
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::SeqCst)
    }

    /// The last recorded entry says nothing about the GPU any more.
    pub fn forget_latest(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts `entry` on disk when there is time, without waiting. Nothing is lost if it doesn't get
    /// there: the entry before says the same less exactly.
    pub fn record_later(&self, entry: Entry) {
        if let (Writer::Thread(requests), false) = (&self.writer, self.is_unread()) {
            let (done, _) = sync_channel(1);
            // If the queue is full, it has a newer entry.
            let _ = requests.try_send(Request { entry, done });
        }
    }

    /// Puts `entry` on disk, or removes the file if nothing is claimed any more.
    pub fn record(&self, entry: Entry) -> Result<Written, JournalError> {
        let latest = self.latest.lock();
        *latest.unwrap_or_else(PoisonError::into_inner) = Some(entry.clone());
        let recorded = self.record_in_place(entry.clone());
        match (recorded, &self.spare) {
            (Ok(()), None) => Ok(Written::InPlace),
            // The entry in the spare would be taken for the newest one.
            (Ok(()), Some(spare)) => spare.remove().map(|()| Written::InPlace),
            // What it covers is in a file that nothing is written over.
            (Err(error @ JournalError::Unread), _) | (Err(error), None) => Err(error),
            (Err(error), Some(spare)) => match spare.record(entry) {
                Ok(()) => Ok(Written::InSpare(error)),
                Err(_) => Err(error),
            },
        }
    }

    fn record_in_place(&self, entry: Entry) -> Result<(), JournalError> {
        let requests = match &self.writer {
            Writer::Thread(requests) => requests,
            Writer::Failed(error) => return Err(JournalError::NoWriter(error.clone())),
            Writer::Unwanted => return Ok(()),
        };
        if self.is_unread() {
            return Err(JournalError::Unread);
        }
        let (done, answer) = sync_channel(1);
        match requests.try_send(Request { entry, done }) {
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(JournalError::Late),
            Ok(()) => match answer.recv_timeout(JOURNAL_PATIENCE) {
                Ok(result) => result,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    Err(JournalError::Late)
                }
            },
        }
    }
}

fn write_all(path: &Path, queue: &Receiver<Request>) {
    while let Ok(Request { entry, done }) = queue.recv() {
        let result = files::set(path, &entry);
        // The caller has gone if the disk took longer than its patience.
        let _ = done.try_send(result);
    }
}
