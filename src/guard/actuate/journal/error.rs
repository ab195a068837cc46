//! Why the journal can't be written or read.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::disk::JOURNAL_PATIENCE;

/// Why an entry couldn't be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the disk didn't answer within {} ms", JOURNAL_PATIENCE.as_millis())]
    Late,
    #[error("there is no thread that writes it: {0}")]
    NoWriter(Arc<io::Error>),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not a journal of this guard: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    /// In this boot: what an earlier boot left is gone.
    #[error("{path}: a guard set this journal aside, because it didn't understand it")]
    SetAside { path: PathBuf },
    #[error("its content couldn't be read yet, and is not overwritten")]
    Unread,
}

impl JournalError {
    /// Another user could read it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// The content is unknown: another attempt may read it.
    pub(crate) const fn is_unread(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Late)
    }
}
