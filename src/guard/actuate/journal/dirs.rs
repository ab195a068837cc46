//! The directories of the journal: the state directory, and the lock directory as its spare.

use std::path::{Path, PathBuf};

use crate::device::Uuid;

/// In each of them.
const GPUS: &str = "gpus";

/// Where a GPU's journal lies.
///
/// The spare takes an entry that the state directory refuses, because its disk is full, hangs, or is
/// read-only. The lock directory is on tmpfs, and that is durable enough: a reboot clears limits and
/// locks, too. An entry in the spare is always the newest one: the next entry that the state directory
/// takes removes it.
#[derive(Clone, Debug)]
pub struct JournalDirs {
    state: PathBuf,
    spare: Option<PathBuf>,
}

impl JournalDirs {
    pub fn new(state: &Path, spare: Option<&Path>) -> Self {
        Self {
            state: state.to_owned(),
            // One directory for both has no spare.
            spare: spare.filter(|it| *it != state).map(Path::to_owned),
        }
    }

    /// Without a spare.
    pub fn only(state: &Path) -> Self {
        Self::new(state, None)
    }

    /// The directories of all entries.
    pub(super) fn folders(&self) -> (PathBuf, Option<PathBuf>) {
        let spare = self.spare.as_ref().map(|spare| spare.join(GPUS));
        (self.state.join(GPUS), spare)
    }

    /// The path of one GPU's entry.
    pub(crate) fn path_of(&self, uuid: &Uuid) -> PathBuf {
        path_in(&self.state, uuid)
    }

    pub(super) fn spare_of(&self, uuid: &Uuid) -> Option<PathBuf> {
        self.spare.as_ref().map(|spare| path_in(spare, uuid))
    }
}

/// UUIDs come from the driver; all the same, only characters of a UUID get into the path.
fn path_in(directory: &Path, uuid: &Uuid) -> PathBuf {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = uuid.as_str().chars().map(plain).collect();
    directory.join(GPUS).join(name).with_extension("json")
}
