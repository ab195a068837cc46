//! What a guard remembers for the next one: the operators' leases and pauses, a detach, the last
//! heartbeat of the alert chain, and how well each card is cooled. What it did to GPUs is in their journals.
//!
//! No caller waits for the disk here. A file that can't be read is logged, and its content is lost.
//! That is safe: leases only add protection, and without its pause a GPU is protected again.

mod cooling;
mod recall;
mod record;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Clock;
use crate::disk::atomic_file::newest;
use crate::guard::actuate::journal::boot_id;

pub use cooling::{CardCooling, Coolings};
pub use record::{Kept, Record, SinceBoot};
pub(crate) use writer::Writer;

/// For this long after its last heartbeat, an alert chain is expected to come back.
pub const CHAIN_EXPECTED_FOR: Duration = Duration::from_secs(24 * 3600);

/// The file.
pub(crate) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("memory.json")
}

/// The record of the guard before. Empty if there is none, or if it can't be read.
pub fn load(state_dir: &Path) -> Record {
    let path = path(state_dir);
    match newest(&path, Record::parse) {
        Ok(record) => record.unwrap_or_default(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the record of operators' leases and pauses can't be read: set them again; the next one replaces the file");
            Record::default()
        }
    }
}

/// The present moment of this boot.
pub fn since_boot() -> SinceBoot {
    SinceBoot {
        boot_id: boot_id(),
        seconds: Clock::since_boot().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests;
