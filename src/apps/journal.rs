//! Records which applications were told to slow down, and how to undo it. It is on disk before they are
//! told, so the guard after a killed one gives them back, whatever the configuration says by then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::disk::atomic_file::{finish, newest_whenever, replace, set_aside};
use crate::disk::{JOURNAL_PATIENCE, NotAFile, patiently};

use super::record::{Entry, Line};

pub(crate) const FILE: &str = "apps.json";

/// New name of a file that isn't a journal.
pub(crate) const ASIDE: &str = "apps.json.unreadable";

/// How long the start waits to read it. A later result is taken up later.
pub(crate) const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The journal of all channels. Without a state directory it stores nothing.
pub(crate) struct Journal {
    file: Option<PathBuf>,
    /// The wanted content.
    wanted: Arc<std::sync::Mutex<Vec<Entry>>>,
    /// The content on disk; `None`: unknown. A write holds this lock until it ends, so a hung disk
    /// costs one thread.
    on_disk: Arc<Mutex<Option<Vec<Entry>>>>,
    /// The earlier guard's journal couldn't be read yet, so it isn't overwritten.
    unread: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    throttled: Vec<Line>,
}

impl Journal {
    /// Nothing is written before [`Self::take_up`].
    pub(crate) fn new(state_dir: Option<&Path>) -> Self {
        Self {
            file: state_dir.map(|dir| dir.join(FILE)),
            wanted: Arc::default(),
            on_disk: Arc::default(),
            unread: AtomicBool::new(state_dir.is_some()),
        }
    }

    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether the journal on disk hasn't been read yet, and so must not be overwritten.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::SeqCst)
    }

    /// Adds the entries found on disk before those recorded meanwhile, because they hold the older
    /// originals. From here on, writing is allowed. `on_disk`: the entries are on disk in this form.
    pub(crate) fn take_up(&self, found: &[Entry], on_disk: bool) {
        let mut wanted = lock(&self.wanted);
        let is_found = |entry: &Entry| found.iter().any(|it| it.is_of(entry));
        let ours: Vec<_> = wanted.drain(..).filter(|it| !is_found(it)).collect();
        wanted.extend(found.iter().cloned().chain(ours));
        drop(wanted);
        // Nothing writes yet.
        if let Ok(mut known) = self.on_disk.try_lock() {
            *known = on_disk.then(|| found.to_vec());
        }
        self.unread.store(false, Ordering::SeqCst);
    }

    /// Replaces `old` by `new` on disk. An error doesn't forbid a throttle, but the caller must retry.
    pub(crate) async fn record(&self, old: Option<&Entry>, new: Option<&Entry>) -> io::Result<()> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        {
            let mut wanted = lock(&self.wanted);
            let is_of = |it: &Entry, other: Option<&Entry>| {
                other.is_some_and(|other| it.key() == other.key())
            };
            wanted.retain(|it| !is_of(it, old) && !is_of(it, new));
            wanted.extend(new.cloned());
        }
        if self.is_unread() {
            return Err(io::Error::other(
                "apps.json couldn't be read yet, and is not overwritten",
            ));
        }
        let write = async {
            let mut on_disk = Arc::clone(&self.on_disk).lock_owned().await;
            let wanted = Arc::clone(&self.wanted);
            let write = spawn_blocking(move || {
                loop {
                    // Includes entries of others who gave up waiting while the disk hung.
                    let next = lock(&wanted).clone();
                    if on_disk.as_ref() == Some(&next) {
                        return Ok(());
                    }
                    write(&file, &next, on_disk.is_some())?;
                    *on_disk = Some(next);
                }
            });
            write.await.map_err(io::Error::other)?
        };
        match timeout(JOURNAL_PATIENCE, write).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the disk is slower than 100 ms",
            )),
        }
    }
}

/// The content of an earlier guard's journal.
pub(crate) enum Found {
    Entries(Vec<Entry>),
    /// Not a journal, and it won't become one: torn, or not a regular file.
    Foreign(io::Error),
    /// The disk fails or refuses; another attempt may succeed.
    Unread(io::Error),
}

/// Whether a former guard may have left any app throttled.
pub(crate) fn may_hold(state_dir: &Path) -> bool {
    let file = state_dir.join(FILE);
    let its = file.clone();
    let found = patiently(&file, READ_PATIENCE, move || look(&its));
    !matches!(found, Ok(Found::Entries(entries)) if entries.is_empty())
}

/// Reads the file. Blocks as long as its disk does.
pub(crate) fn look(file: &Path) -> Found {
    match newest_whenever(file, parse) {
        Ok(entries) => Found::Entries(entries.unwrap_or_default()),
        Err(error) if is_foreign(&error) => Found::Foreign(error),
        Err(error) => Found::Unread(error),
    }
}

fn is_foreign(error: &io::Error) -> bool {
    let by_content = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
    NotAFile::is_why(error) || by_content.contains(&error.kind())
}

fn parse(text: &[u8]) -> io::Result<Vec<Entry>> {
    let record: Record = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        // Without the error's own text, which could repeat content.
        let text = format!("it is no journal of this guard (line {line}, column {column})");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    Ok(record.throttled.into_iter().map(Entry::from).collect())
}

/// The list is consistent after every statement, even if a thread panics.
fn lock(wanted: &std::sync::Mutex<Vec<Entry>>) -> MutexGuard<'_, Vec<Entry>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(file: &Path, throttled: &[Entry], is_known: bool) -> io::Result<()> {
    let throttled = throttled.iter().map(Line::from).collect();
    finish(file, |text| parse(text).is_ok())?;
    if !is_known {
        // A journal that this guard can't parse isn't overwritten: a newer guard or a person can read
        // it.
        match look(file) {
            Found::Entries(_) => {}
            Found::Foreign(_) => set_aside(file, ASIDE)?,
            Found::Unread(error) => return Err(error),
        }
    }
    replace(file, &serde_json::to_vec(&Record { throttled })?, None)
}
