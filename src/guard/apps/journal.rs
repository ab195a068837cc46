//! Which applications were told something other than normal, on disk before they are told: the
//! guard after a killed one gives it back.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::guard::replace::{finish, newest, replace};

pub(super) const FILE: &str = "apps.json";

/// A disk that takes longer must not hold up a throttle; the same patience as the GPU journal's.
const PATIENCE: Duration = Duration::from_millis(100);

/// The journal of all apps' channels. Without a state directory it forgets.
pub(super) struct Journal {
    file: Option<PathBuf>,
    /// Channels that a former guard left throttled.
    found: BTreeSet<String>,
    /// As it ought to be on disk.
    wanted: Arc<std::sync::Mutex<BTreeSet<String>>>,
    /// As it is. Held by a write until that ends, so that a hung disk costs one thread.
    on_disk: Arc<Mutex<BTreeSet<String>>>,
}

#[derive(Serialize, Deserialize)]
struct Record {
    throttled: BTreeSet<String>,
}

impl Journal {
    /// Reads what a former guard left. If that can't be read, any of the `known` channels may be
    /// throttled. Blocks.
    pub(super) fn open(state_dir: Option<&Path>, known: &[String]) -> Self {
        let file = state_dir.map(|dir| dir.join(FILE));
        let found = file.as_deref().map_or(Ok(BTreeSet::new()), read);
        let found = found.unwrap_or_else(|error| {
            tracing::error!(%error, "unreadable app journal: all apps will be told normal");
            known.iter().cloned().collect()
        });
        Self {
            file,
            wanted: Arc::new(std::sync::Mutex::new(found.clone())),
            on_disk: Arc::new(Mutex::new(found.clone())),
            found,
        }
    }

    /// Whether a former guard may have left this channel throttled.
    pub(super) fn was_throttled(&self, channel: &str) -> bool {
        self.found.contains(channel)
    }

    /// Throttled channels of a former guard that the configuration doesn't know any more.
    pub(super) fn strangers<'a>(&'a self, known: &'a [String]) -> impl Iterator<Item = &'a String> {
        self.found.iter().filter(|channel| !known.contains(channel))
    }

    /// Has it on disk that the channel is, or isn't, throttled. An error doesn't forbid a throttle,
    /// but is to be tried again.
    pub(super) async fn record(&self, channel: &str, throttled: bool) -> io::Result<()> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        {
            let mut wanted = lock(&self.wanted);
            if throttled {
                wanted.insert(channel.to_owned());
            } else {
                wanted.remove(channel);
            }
        }
        let write = async {
            let mut on_disk = Arc::clone(&self.on_disk).lock_owned().await;
            let wanted = Arc::clone(&self.wanted);
            let write = spawn_blocking(move || {
                loop {
                    // Also what others wanted, and gave up waiting for, while the disk hung.
                    let next = lock(&wanted).clone();
                    if *on_disk == next {
                        return Ok(());
                    }
                    write(&file, &next)?;
                    *on_disk = next;
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

fn read(file: &Path) -> io::Result<BTreeSet<String>> {
    Ok(newest(file, parse)?.unwrap_or_default())
}

fn parse(text: &[u8]) -> io::Result<BTreeSet<String>> {
    let record: Record = serde_json::from_slice(text)?;
    Ok(record.throttled)
}

/// A set is whole after every statement, whoever panics.
fn lock(wanted: &std::sync::Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(file: &Path, throttled: &BTreeSet<String>) -> io::Result<()> {
    let record = Record {
        throttled: throttled.clone(),
    };
    finish(file, |text| parse(text).is_ok())?;
    replace(file, &serde_json::to_vec(&record)?, None)
}
