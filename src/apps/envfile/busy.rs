//! One edit of a file at a time.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::EnvFileError;

/// Files being edited: two apps may share a file and must not undo each other's edit. This is no lock
/// to wait for, because the other edit's file system may hang.
static BUSY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

pub(super) struct Alone(PathBuf);

impl Alone {
    pub(super) fn with(target: &Path) -> Result<Self, EnvFileError> {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        if busy.insert(target.to_owned()) {
            Ok(Self(target.to_owned()))
        } else {
            Err(EnvFileError::Raced(target.to_owned()))
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let mut busy = BUSY.lock().unwrap_or_else(PoisonError::into_inner);
        busy.remove(&self.0);
    }
}
