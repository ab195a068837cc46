//! The spare journal of one GPU, for entries that the state directory refuses.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::{JOURNAL_PATIENCE, patiently};

use super::entry::Entry;
use super::error::JournalError;
use super::files;

/// The spare's file. It is seldom written, so it needs no thread of its own.
pub(super) struct Spare {
    path: PathBuf,
    /// A guard before this one may have left a file.
    may_exist: AtomicBool,
}

impl Spare {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            may_exist: AtomicBool::new(true),
        }
    }

    /// An empty claim is written, too: the file in the state directory still says something else.
    pub(super) fn record(&self, entry: Entry) -> Result<(), JournalError> {
        self.may_exist.store(true, Ordering::SeqCst);
        let its = self.path.clone();
        self.ask(move || files::write(&its, &entry))
    }

    pub(super) fn remove(&self) -> Result<(), JournalError> {
        if !self.may_exist.load(Ordering::SeqCst) {
            return Ok(());
        }
        let its = self.path.clone();
        self.ask(move || files::remove(&its))?;
        self.may_exist.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// tmpfs answers at once, but the directory can be configured.
    fn ask(
        &self,
        call: impl FnOnce() -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), JournalError> {
        let answer = patiently(&self.path, JOURNAL_PATIENCE, call);
        answer.flatten().map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })
    }
}
