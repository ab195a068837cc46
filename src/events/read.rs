//! Reads the event log back, also while a guard writes it, and even if it is damaged.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::disk::Dir;
use crate::disk::patiently;

use super::event::Event;
use super::log::{MAX_BYTES, NAME, NAME_BEFORE, open_file};

/// How long a reader waits for the disk. Eight megabytes take a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Far longer than any event.
const LONGEST_LINE: usize = 16 << 10;

/// The content of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Oldest first, as written.
    pub events: Vec<Event>,
    /// Lines that are no events: torn by a crash or a full disk.
    pub unreadable: usize,
    /// There is a log at all.
    pub found: bool,
}

/// Print its source, too.
#[derive(Debug, Error)]
#[error("{path}")]
pub struct HistoryError {
    path: PathBuf,
    source: io::Error,
}

/// Reads both generations. A directory without a log has no history.
pub fn history(state_dir: &Path) -> Result<History, HistoryError> {
    let path = state_dir.join(NAME);
    let its = state_dir.to_owned();
    let read = patiently(&path, PATIENCE, move || both(&its));
    read.flatten()
        .map_err(|source| HistoryError { path, source })
}

/// The newest event, from the end of the log. `None`: there is none, or it can't be read.
pub fn newest(state_dir: &Path) -> Option<Event> {
    let path = state_dir.join(NAME);
    let its = state_dir.to_owned();
    patiently(&path, PATIENCE, move || last_line(&its))
        .ok()?
        .ok()?
}

fn last_line(state_dir: &Path) -> io::Result<Option<Event>> {
    let Some(mut file) = open_file(&Dir::open(state_dir)?, NAME)? else {
        return Ok(None);
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LINE as u64)))?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE as u64).read_to_end(&mut end)?;
    let line = end.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    Ok(line.and_then(|line| serde_json::from_slice(line).ok()))
}

fn both(state_dir: &Path) -> io::Result<History> {
    let mut history = History::default();
    let dir = match Dir::open(state_dir) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(history),
        Err(error) => return Err(error),
    };
    // Open the newer one first: if it becomes the older one in between, it is read twice and not
    // missed.
    let newer = open_file(&dir, NAME)?;
    let older = open_file(&dir, NAME_BEFORE)?;
    let inode = |file: &Option<File>| {
        let meta = file.as_ref()?.metadata().ok()?;
        Some((meta.dev(), meta.ino()))
    };
    let rotated = newer.is_some() && inode(&newer) == inode(&older);
    for file in [older.filter(|_| !rotated), newer].into_iter().flatten() {
        history.found = true;
        // A guard may be writing. Another program may have made the file larger than a log can be.
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
                // The guard ends a torn line with a newline, so an empty line may follow.
                _ if text.is_empty() => {}
                _ => self.unreadable += 1,
            }
            line.clear();
        }
        Ok(())
    }
}
