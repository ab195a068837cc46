//! What a guard works with.

use std::path::PathBuf;
use std::sync::Arc;

use crate::device::Driver;
use crate::guard::actuate::journal::JournalDirs;

/// What a guard works with.
pub struct Plan {
    pub driver: Arc<dyn Driver>,
    /// Where the journal is. `None` for simulated GPUs, which end with the process.
    pub state_dir: Option<PathBuf>,
    /// Where the locks are. `None` if the guard writes to no GPU.
    pub lock_dir: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn journal_dirs(&self) -> Option<JournalDirs> {
        let state_dir = self.state_dir.as_deref()?;
        Some(JournalDirs::new(state_dir, self.lock_dir.as_deref()))
    }
}
