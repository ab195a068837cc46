//! Which applications were told something other than normal, on disk before they are told: the
//! guard after a killed one gives it back.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::guard::replace::replace;

pub(super) const FILE: &str = "apps.json";

/// A disk that takes longer must not hold up a throttle; the same patience as the GPU journal's.
const PATIENCE: Duration = Duration::from_millis(100);

/// The journal of all apps' channels. Without a state directory it forgets.
pub(super) struct Journal {
    file: Option<PathBuf>,
    /// Channels that a former guard left throttled.
    found: BTreeSet<String>,
    /// As it is on disk. Held by a write until that ends, so that a hung disk costs one thread.
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

    /// Has it on disk that the channel is, or isn't, throttled. An error doesn't forbid a throttle.
    pub(super) async fn record(&self, channel: &str, throttled: bool) -> io::Result<()> {
        let Some(file) = self.file.clone() else {
            return Ok(());
        };
        let write = async {
            let mut on_disk = Arc::clone(&self.on_disk).lock_owned().await;
            if on_disk.contains(channel) == throttled {
                return Ok(());
            }
            let channel = channel.to_owned();
            let write = spawn_blocking(move || {
                let mut next = on_disk.clone();
                if throttled {
                    next.insert(channel);
                } else {
                    next.remove(&channel);
                }
                write(&file, &next)?;
                *on_disk = next;
                Ok(())
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

fn read(file: &Path) -> io::Result<BTreeSet<String>> {
    match fs::read(file) {
        Ok(text) => {
            let record: Record = serde_json::from_slice(&text)?;
            Ok(record.throttled)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

fn write(file: &Path, throttled: &BTreeSet<String>) -> io::Result<()> {
    let record = Record {
        throttled: throttled.clone(),
    };
    replace(file, &serde_json::to_vec(&record)?, None)
}
