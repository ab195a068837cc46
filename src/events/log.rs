//! The event log on disk: JSON lines in `<state.dir>/events.jsonl` and the generation before it,
//! `events.1.jsonl`, at most [`MAX_BYTES`] each. However the process ends, all lines are whole but
//! perhaps the last. A reader skips a torn line, and the next writer ends it.
//!
//! A thread of its own writes, because disks fill up and hang: [`Log::offer`] never waits. If the queue
//! is full or the disk fails, events are dropped and counted. Once there is room again, the log says
//! how many are missing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use rustix::fs::{Mode, OFlags};

use crate::clock::Clock;
use crate::disk::Dir;
use crate::registry::{Registry, Words, register};

use super::event::{Event, What};

/// The size of one generation; there are two. An event takes about 200 bytes, a throttle with all its
/// events about one kilobyte, so the log has at least the newest four thousand throttles.
pub const MAX_BYTES: u64 = 4 << 20;

/// How many events may wait for the disk: more than a node of 16 GPUs produces in a second in which
/// everything changes.
const QUEUE: usize = 512;

pub(crate) const NAME: &str = "events.jsonl";
pub(crate) const NAME_BEFORE: &str = "events.1.jsonl";

pub(crate) fn path(state_dir: &Path) -> PathBuf {
    state_dir.join(NAME)
}

/// What became of the events.
#[derive(Clone, Debug)]
pub struct LogCounters {
    family: Family<Words<1>, Counter>,
    pub written: Counter,
    /// Not on disk: the queue was full, or the disk accepted nothing.
    pub dropped: Counter,
}

impl Default for LogCounters {
    fn default() -> Self {
        let family = Family::default();
        let of = |result| {
            let family: &Family<Words<1>, Counter> = &family;
            family.get_or_create_owned(&[("result", result)])
        };
        let (written, dropped) = (of("written"), of("dropped"));
        Self {
            family,
            written,
            dropped,
        }
    }
}

impl LogCounters {
    pub fn register(&self, registry: &mut Registry) {
        register(
            registry,
            "thermal_guard_event_log_events_total",
            "Events of the log on disk, by result: written, or dropped because the disk didn't accept them.",
            self.family.clone(),
        );
    }
}

/// The writing end.
pub(crate) struct Log {
    queue: SyncSender<Arc<Event>>,
    writer: Option<JoinHandle<()>>,
    counters: LogCounters,
}

impl Log {
    /// If the thread can't start, everything is dropped and counted.
    pub(crate) fn open(state_dir: &Path, counters: LogCounters) -> Self {
        let (queue, events) = sync_channel(QUEUE);
        let mut writer = Writer::new(state_dir, counters.clone());
        let thread = thread::Builder::new().name("event-log".to_owned());
        let writer = thread.spawn(move || writer.run(&events)).ok();
        Self {
            queue,
            writer,
            counters,
        }
    }

    /// A log over a queue that the test empties.
    #[cfg(test)]
    pub(crate) fn over(queue: SyncSender<Arc<Event>>, counters: LogCounters) -> Self {
        Self {
            queue,
            writer: None,
            counters,
        }
    }

    /// Queues an event. If the queue is full, the event is dropped.
    pub(crate) fn offer(&self, event: Arc<Event>) {
        if self.queue.try_send(event).is_err() {
            self.counters.dropped.inc();
        }
    }

    /// Takes no more. The thread ends once all is written.
    pub(crate) fn close(self) -> Option<JoinHandle<()>> {
        self.writer
    }
}

/// The state of the thread.
struct Writer {
    state_dir: PathBuf,
    counters: LogCounters,
    file: Option<Open>,
    /// How many events were dropped that the log doesn't mention yet.
    unsaid: u64,
    /// The dropped events that are in `unsaid` or in the log already.
    known: u64,
    is_failing: bool,
}

struct Open {
    dir: Dir,
    file: File,
    bytes: u64,
}

impl Writer {
    fn new(state_dir: &Path, counters: LogCounters) -> Self {
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
            // Against a power cut. A crash of the process alone loses nothing.
            if let Some(open) = &self.file {
                let _ = open.file.sync_data();
            }
        }
    }

    fn take(&mut self, event: &Event) {
        let dropped = self.counters.dropped.get();
        self.unsaid += dropped - self.known;
        self.known = dropped;
        match self.try_take(event) {
            Ok(()) => {
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("event log written again");
                }
            }
            Err(error) => {
                // This line may be torn on disk: open the file again, which ends the line.
                self.file = None;
                self.counters.dropped.inc();
                if !std::mem::replace(&mut self.is_failing, true) {
                    let path = path(&self.state_dir);
                    tracing::warn!(path = %path.display(), %error, "event log not written: events are dropped and counted, protection goes on; check the disk and the owner of --state.dir");
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
        self.counters.written.inc();
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

    /// The file that has the log's name now: another guard in this directory may have rotated it, or an
    /// operator may have removed it.
    fn opened(&mut self) -> io::Result<Open> {
        let name = OsStr::new(NAME);
        let dir = Dir::make(&self.state_dir)?;
        if let Some(open) = self.file.take() {
            let named = dir.file(name, OFlags::RDONLY, Mode::empty());
            let named = named.and_then(|file| file.metadata());
            let named = named.map(|meta| (meta.dev(), meta.ino()));
            let held = open.file.metadata()?;
            if named.is_ok_and(|named| named == (held.dev(), held.ino())) {
                // Other guards may append, too.
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
        // A file with another name, too, may belong to somebody else: don't write to it.
        if file.metadata()?.nlink() > 1 {
            dir.rename(name, OsStr::new(NAME_BEFORE))?;
            file = append()?;
        }
        end_torn_line(&mut file)?;
        let bytes = file.metadata()?.len();
        Ok(Open { dir, file, bytes })
    }
}

/// Opens a file to read. `None` if it isn't there. It follows no link: somebody else may have put one
/// there.
pub(crate) fn open_file(dir: &Dir, name: &str) -> io::Result<Option<File>> {
    match dir.file(OsStr::new(name), OFlags::RDONLY, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends a line that a killed guard or a full disk left torn.
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
