//! What a guard remembers for the one after it: an operator's leases and pauses, that it was
//! detached, and that a chain of alerts was heard. What it did to GPUs is in their journals.
//!
//! Nobody waits for the disk here. What can't be read is said, and lost: it only ever added
//! protection, or took a pause.

mod recall;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::replace::newest;

pub use record::{Kept, Record};
pub(super) use writer::Writer;

/// A chain that was heard of is missed for so long.
pub const CHAIN_EXPECTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Where it is.
pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("memory.json")
}

/// What the guard before remembered. Nothing, if there was none or it can't be read.
pub fn load(state_dir: &Path) -> Record {
    let path = path(state_dir);
    match newest(&path, Record::parse) {
        Ok(record) => record.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "what the guard before remembered can't be read: set operators' leases and pauses again; the file is replaced with the next one");
            Record::default()
        }
    }
}

#[cfg(test)]
mod tests;
