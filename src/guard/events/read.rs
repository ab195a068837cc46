//! The event log, read back: also while a guard writes it, and whatever state it is in.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::files::{Dir, patiently};

use super::event::Event;
use super::log::{MAX_BYTES, NAME, NAME_BEFORE, open_file};

/// How long a reader waits for the disk. Eight megabytes take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Far more than any event of ours.
const LONGEST_LINE: usize = 16 << 10;

/// What stands in the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Oldest first, as written.
    pub events: Vec<Event>,
    /// Lines that are none: torn by a crash or a full disk.
    pub unreadable: usize,
    /// There is a log at all.
    pub found: bool,
}

/// Who prints it prints its source, too.
#[derive(Debug, Error)]
#[error("{path}")]
pub struct HistoryError {
    path: PathBuf,
    source: io::Error,
}

/// Both generations. A directory without a log has no history.
pub fn history(state_dir: &Path) -> Result<History, HistoryError> {
    let path = state_dir.join(NAME);
    let its = state_dir.to_owned();
    let read = patiently(&path, PATIENCE, move || both(&its));
    read.flatten()
        .map_err(|source| HistoryError { path, source })
}

fn both(state_dir: &Path) -> io::Result<History> {
    let mut history = History::default();
    let dir = match Dir::open(state_dir) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(history),
        Err(error) => return Err(error),
    };
    // The newer is opened first: if it becomes the older in between, it is seen twice, not never.
    let newer = open_file(&dir, NAME)?;
    let older = open_file(&dir, NAME_BEFORE)?;
    let inode = |file: &Option<File>| {
        let meta = file.as_ref()?.metadata().ok()?;
        Some((meta.dev(), meta.ino()))
    };
    let rotated = newer.is_some() && inode(&newer) == inode(&older);
    for file in [older.filter(|_| !rotated), newer].into_iter().flatten() {
        history.found = true;
        // A guard may be writing; another program may have made it larger than it can be.
        history.read(BufReader::new(file.take(2 * MAX_BYTES)))?;
    }
    Ok(history)
}

impl History {
    fn read(&mut self, mut lines: impl BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let text = line.trim_ascii();
            match serde_json::from_slice(text) {
                Ok(event) if text.len() <= LONGEST_LINE => self.events.push(event),
                // An ended torn line can be followed by an empty one.
                _ if text.is_empty() => {}
                _ => self.unreadable += 1,
            }
            line.clear();
        }
        Ok(())
    }
}
