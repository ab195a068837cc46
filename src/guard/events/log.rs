//! The event log on disk: JSON lines in `<state.dir>/events.jsonl` and the generation before it,
//! `events.1.jsonl`, at most [`MAX_BYTES`] each. Whichever way the process ends, what is written is
//! whole lines but for perhaps the last, which a reader skips and the next writer ends.
//!
//! A thread of its own writes, because disks fill up and hang: [`Log::offer`] never waits. What
//! finds the queue full, or the disk unwilling, is dropped and counted; once there is room again
//! the log says how many are missing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};

use crate::files::Dir;
use crate::guard::clock::Clock;

use super::event::{Event, What};

/// A generation's size, and there are two. An event takes about 200 bytes, a throttle with all that
/// belongs to it about one kilobyte: the newest four thousand throttles at the least.
pub const MAX_BYTES: u64 = 4 << 20;

/// Events that may wait for the disk: more than a node of 16 GPUs brings forth in a second of
/// everything changing at once.
const QUEUE: usize = 512;

pub(super) const NAME: &str = "events.jsonl";
pub(super) const NAME_BEFORE: &str = "events.1.jsonl";

pub(super) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// How the log has fared since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogCounts {
    pub written: u64,
    /// Not on disk: the queue was full, or the disk took nothing.
    pub dropped: u64,
}

/// The writing end.
pub(super) struct Log {
    queue: Option<SyncSender<Arc<Event>>>,
    writer: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl Log {
    /// Without a thread, everything is dropped and counted.
    pub(super) fn open(state_dir: &Path) -> Self {
        let counters = Arc::new(Counters::default());
        let (queue, events) = sync_channel(QUEUE);
        let mut writer = Writer::new(state_dir, counters.clone());
        let thread = thread::Builder::new().name("event-log".to_owned());
        let writer = thread.spawn(move || writer.run(&events)).ok();
        Self {
            queue: Some(queue),
            writer,
            counters,
        }
    }

    /// Over a queue that somebody else empties.
    #[cfg(test)]
    pub(super) fn over(queue: SyncSender<Arc<Event>>) -> Self {
        Self {
            queue: Some(queue),
            writer: None,
            counters: Arc::default(),
        }
    }

    /// To be written, sooner or later or, if the queue is full, not at all.
    pub(super) fn offer(&self, event: Arc<Event>) {
        let taken = self
            .queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(event).is_ok());
        if !taken {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> LogCounts {
        LogCounts {
            written: self.counters.written.load(Ordering::Relaxed),
            dropped: self.counters.dropped.load(Ordering::Relaxed),
        }
    }

    /// Waits until all is written, but no longer than `patience`: the disk may hang.
    pub(super) fn close(&mut self, patience: Duration) {
        self.queue = None;
        let step = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        if let Some(writer) = self.writer.take() {
            while !writer.is_finished() && waited < patience {
                thread::sleep(step);
                waited += step;
            }
        }
    }
}

/// The thread's own.
struct Writer {
    state_dir: PathBuf,
    counters: Arc<Counters>,
    file: Option<Open>,
    /// Dropped, and not yet said so in the log.
    unsaid: u64,
    /// Of the counter, how many were said or will be.
    known: u64,
    is_failing: bool,
}

struct Open {
    dir: Dir,
    file: File,
    bytes: u64,
}

impl Writer {
    fn new(state_dir: &Path, counters: Arc<Counters>) -> Self {
        Self {
            state_dir: state_dir.to_owned(),
            counters,
            file: None,
            unsaid: 0,
            known: 0,
            is_failing: false,
        }
    }

    fn run(&mut self, events: &Receiver<Arc<Event>>) {
        while let Ok(event) = events.recv() {
            self.take(&event);
            while let Ok(event) = events.try_recv() {
                self.take(&event);
            }
            // A power cut may cost what no longer stands here; a crash of the process costs nothing.
            if let Some(open) = &self.file {
                let _ = open.file.sync_data();
            }
        }
    }

    fn take(&mut self, event: &Event) {
        let dropped = self.counters.dropped.load(Ordering::Relaxed);
        self.unsaid += dropped - self.known;
        self.known = dropped;
        match self.try_take(event) {
            Ok(()) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("event log written again");
                }
            }
            Err(error) => {
                // What is on disk of this line is torn: the next begins on a line of its own.
                self.file = None;
                self.counters.dropped.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = path(&self.state_dir);
                    tracing::warn!(path = %path.display(), %error, "event log not written: events are dropped and counted, protection goes on; look at the disk and the owner of --state.dir");
                }
            }
        }
    }

    fn try_take(&mut self, event: &Event) -> io::Result<()> {
        if self.unsaid > 0 {
            let gap = Event {
                time: Clock::unix(),
                gpu: None,
                what: What::Unrecorded { count: self.unsaid },
            };
            self.append(&gap)?;
            self.unsaid = 0;
        }
        self.append(event)?;
        self.counters.written.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn append(&mut self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        let length = line.len() as u64;
        let mut open = self.opened()?;
        if open.bytes + length > MAX_BYTES {
            open.dir.rename(OsStr::new(NAME), OsStr::new(NAME_BEFORE))?;
            open = self.opened()?;
        }
        open.file.write_all(&line)?;
        open.bytes += length;
        self.file = Some(open);
        Ok(())
    }

    /// The file under its name: another guard on this directory may have rotated it, or an
    /// operator removed it.
    fn opened(&mut self) -> io::Result<Open> {
        let name = OsStr::new(NAME);
        let dir = Dir::make(&self.state_dir)?;
        if let Some(open) = self.file.take() {
            let named = dir.file(name, OFlags::RDONLY, Mode::empty());
            let named = named.and_then(|file| file.metadata());
            let named = named.map(|meta| (meta.dev(), meta.ino()));
            let held = open.file.metadata()?;
            if named.is_ok_and(|named| named == (held.dev(), held.ino())) {
                // Others append, too.
                let bytes = held.len();
                return Ok(Open { dir, bytes, ..open });
            }
        }
        let append = || {
            let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
            let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
            dir.file(name, flags, mode)
        };
        let mut file = append()?;
        // By another name it may be anybody's file: not ours to write to.
        if file.metadata()?.nlink() > 1 {
            dir.rename(name, OsStr::new(NAME_BEFORE))?;
            file = append()?;
        }
        end_torn_line(&mut file)?;
        let bytes = file.metadata()?.len();
        Ok(Open { dir, file, bytes })
    }
}

/// To read; `None` if it isn't there. No link is followed: somebody else may have put one there.
pub(super) fn open_file(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    match dir.file(OsStr::new(name), OFlags::RDONLY, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Of a guard that was killed, or a disk that was full, in the middle of a line.
fn end_torn_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        Ok(())
    } else {
        file.write_all(b"\n")
    }
}
