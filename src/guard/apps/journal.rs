//! Which applications were told something other than normal, and how to take it back, on disk before
//! they are told: the guard after a killed one gives it back, whatever its configuration says by then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::guard::replace::{finish, newest, replace};

use super::record::{Entry, Line};

pub(super) const FILE: &str = "apps.json";

/// A disk that takes longer must not hold up a throttle; the same patience as the GPU journal's.
const PATIENCE: Duration = Duration::from_millis(100);

/// The journal of all apps' channels. Without a state directory it forgets.
pub(super) struct Journal {
    file: Option<PathBuf>,
    /// As it ought to be on disk.
    wanted: Arc<std::sync::Mutex<Vec<Entry>>>,
    /// As it is; `None`: not known. Held by a write until that ends, so that a hung disk costs one
    /// thread.
    on_disk: Arc<Mutex<Option<Vec<Entry>>>>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    throttled: Vec<Line>,
}

impl Journal {
    /// With what a former guard left. If that can't be read, any of the `known` channels may be
    /// throttled. Blocks.
    pub(super) fn open(
        state_dir: Option<&Path>,
        known: impl FnOnce() -> Vec<Entry>,
    ) -> (Self, Vec<Entry>) {
        let file = state_dir.map(|dir| dir.join(FILE));
        let found = file.as_deref().map_or(Ok(Vec::new()), read);
        let on_disk = found.as_ref().ok().cloned();
        let found = found.unwrap_or_else(|error| {
            let file = file.as_deref().map(Path::display);
            let file = file.map(tracing::field::display);
            tracing::error!(file, %error, "unreadable app journal: all configured apps will be told normal; one that isn't configured any more must be set back by hand");
            known()
        });
        let journal = Self {
            file,
            wanted: Arc::new(std::sync::Mutex::new(found.clone())),
            on_disk: Arc::new(Mutex::new(on_disk)),
        };
        (journal, found)
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
                    write(&file, &next)?;
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

/// Whether a former guard may have left any app throttled.
pub(super) fn may_hold(state_dir: &Path) -> bool {
    read(&state_dir.join(FILE)).map_or(true, |throttled| !throttled.is_empty())
}

fn read(file: &Path) -> io::Result<Vec<Entry>> {
    Ok(newest(file, parse)?.unwrap_or_default())
}

fn parse(text: &[u8]) -> io::Result<Vec<Entry>> {
    let record: Record = serde_json::from_slice(text)?;
    Ok(record.throttled.into_iter().map(Entry::from).collect())
}

/// A list is whole after every statement, whoever panics.
fn lock(wanted: &std::sync::Mutex<Vec<Entry>>) -> MutexGuard<'_, Vec<Entry>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(file: &Path, throttled: &[Entry]) -> io::Result<()> {
    let throttled = throttled.iter().map(Line::from).collect();
    finish(file, |text| parse(text).is_ok())?;
    replace(file, &serde_json::to_vec(&Record { throttled })?, None)
}
