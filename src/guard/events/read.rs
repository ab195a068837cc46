//! The event log, read back: also while a guard writes it, and whatever state it is in.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::event::Event;
use super::log::{MAX_BYTES, open_file, path, path_before};

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

#[derive(Debug, Error)]
#[error("{path}: {source}")]
pub struct HistoryError {
    path: PathBuf,
    source: io::Error,
}

/// Both generations. A directory without a log has no history.
pub fn history(state_dir: &Path) -> Result<History, HistoryError> {
    let paths = [path_before(state_dir), path(state_dir)];
    // The newer is opened first: if it becomes the older in between, it is seen twice, not never.
    let newer = open(&paths[1])?;
    let older = open(&paths[0])?;
    let inode = |file: &Option<std::fs::File>| {
        let meta = file.as_ref()?.metadata().ok()?;
        Some((meta.dev(), meta.ino()))
    };
    let rotated = newer.is_some() && inode(&newer) == inode(&older);
    let mut history = History::default();
    for (file, path) in [(older.filter(|_| !rotated), &paths[0]), (newer, &paths[1])] {
        if let Some(file) = file {
            history.found = true;
            // A guard may be writing; another program may have made it larger than it can be.
            let lines = BufReader::new(file.take(2 * MAX_BYTES));
            history.read(lines).map_err(|source| HistoryError {
                path: path.clone(),
                source,
            })?;
        }
    }
    Ok(history)
}

fn open(path: &Path) -> Result<Option<std::fs::File>, HistoryError> {
    match open_file(OpenOptions::new().read(true), path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HistoryError {
            path: path.to_owned(),
            source,
        }),
    }
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
