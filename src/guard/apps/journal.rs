//! Which applications were told something other than normal, and how to take it back, on disk before
//! they are told: the guard after a killed one gives it back, whatever its configuration says by then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::files::{NotAFile, patiently};
use crate::guard::replace::{finish, newest_whenever, replace, set_aside};

use super::record::{Entry, Line};

pub(super) const FILE: &str = "apps.json";

/// What stood there and was no journal gets this name.
pub(super) const ASIDE: &str = "apps.json.unreadable";

/// A disk that takes longer must not hold up a throttle; the same patience as the GPU journal's.
const PATIENCE: Duration = Duration::from_millis(100);

/// The same for reading at the start: what is read late is taken up late.
pub(super) const READ_PATIENCE: Duration = Duration::from_secs(1);

/// The journal of all apps' channels. Without a state directory it forgets.
pub(super) struct Journal {
    file: Option<PathBuf>,
    /// As it ought to be on disk.
    wanted: Arc<std::sync::Mutex<Vec<Entry>>>,
    /// As it is; `None`: not known. Held by a write until that ends, so that a hung disk costs one
    /// thread.
    on_disk: Arc<Mutex<Option<Vec<Entry>>>>,
    /// What a guard before this one left there couldn't be read: nothing is written over it.
    unread: AtomicBool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    throttled: Vec<Line>,
}

impl Journal {
    /// Nothing is written before [`Self::take_up`].
    pub(super) fn new(state_dir: Option<&Path>) -> Self {
        Self {
            file: state_dir.map(|dir| dir.join(FILE)),
            wanted: Arc::default(),
            on_disk: Arc::default(),
            unread: AtomicBool::new(state_dir.is_some()),
        }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Whether what stands on disk hasn't been read, and so isn't to be overwritten.
    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::SeqCst)
    }

    /// What was found there joins what was recorded meanwhile, and comes first: it says what was
    /// there before. From here on all may be written. `on_disk`: it stands there like this.
    pub(super) fn take_up(&self, found: &[Entry], on_disk: bool) {
        let mut wanted = lock(&self.wanted);
        let is_found = |entry: &Entry| found.iter().any(|it| it.is_of(entry));
        let ours: Vec<_> = wanted.drain(..).filter(|it| !is_found(it)).collect();
        wanted.extend(found.iter().cloned().chain(ours));
        drop(wanted);
        // Nobody writes yet.
        if let Ok(mut known) = self.on_disk.try_lock() {
            *known = on_disk.then(|| found.to_vec());
        }
        self.unread.store(false, Ordering::SeqCst);
    }

    /// Has `new` on disk instead of `old`. An error doesn't forbid a throttle, but is to be tried
    /// again.
    pub(super) async fn record(&self, old: Option<&Entry>, new: Option<&Entry>) -> io::Result<()> {
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
                "what stands in apps.json couldn't be read yet, and is not overwritten",
            ));
        }
        let write = async {
            let mut on_disk = Arc::clone(&self.on_disk).lock_owned().await;
            let wanted = Arc::clone(&self.wanted);
            let write = spawn_blocking(move || {
                loop {
                    // Also what others wanted, and gave up waiting for, while the disk hung.
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
        match timeout(PATIENCE, write).await {
            Ok(result) => result,
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the disk is slower than 100 ms",
            )),
        }
    }
}

/// What is in a guard's journal that is gone.
pub(super) enum Found {
    Entries(Vec<Entry>),
    /// No journal, and it won't become one: torn, or something else in its place.
    Foreign(io::Error),
    /// The disk fails, or refuses: another look may see it.
    Unread(io::Error),
}

/// Whether a former guard may have left any app throttled.
pub(super) fn may_hold(state_dir: &Path) -> bool {
    let file = state_dir.join(FILE);
    let its = file.clone();
    let found = patiently(&file, READ_PATIENCE, move || look(&its));
    !matches!(found, Ok(Found::Entries(entries)) if entries.is_empty())
}

/// A look at the file, for as long as its disk takes. Blocks.
pub(super) fn look(file: &Path) -> Found {
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
        // Not the error's own words: they could repeat what stands there.
        let text = format!("it is no journal of this guard (line {line}, column {column})");
        io::Error::new(io::ErrorKind::InvalidData, text)
    })?;
    Ok(record.throttled.into_iter().map(Entry::from).collect())
}

/// A list is whole after every statement, whoever panics.
fn lock(wanted: &std::sync::Mutex<Vec<Entry>>) -> MutexGuard<'_, Vec<Entry>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(file: &Path, throttled: &[Entry], is_known: bool) -> io::Result<()> {
    let throttled = throttled.iter().map(Line::from).collect();
    finish(file, |text| parse(text).is_ok())?;
    if !is_known {
        // What this guard can't understand isn't overwritten: a newer one can, or a person.
        match look(file) {
            Found::Entries(_) => {}
            Found::Foreign(_) => set_aside(file, ASIDE)?,
            Found::Unread(error) => return Err(error),
        }
    }
    replace(file, &serde_json::to_vec(&Record { throttled })?, None)
}
