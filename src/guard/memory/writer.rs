//! Puts the newest record on disk, on a thread of its own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::replace::replace;
use super::record::Record;

#[derive(Default)]
struct Desk {
    /// Not written yet.
    latest: Option<Record>,
    writing: bool,
}

/// Of one file. The thread ends with the process.
#[derive(Clone)]
pub(in super::super) struct Writer {
    shared: Arc<(Mutex<Desk>, Condvar)>,
}

impl Writer {
    pub(in super::super) fn start(path: PathBuf) -> io::Result<Self> {
        let shared = Arc::new((Mutex::new(Desk::default()), Condvar::new()));
        let its = shared.clone();
        let thread = thread::Builder::new().name("memory".to_owned());
        thread.spawn(move || write_all(&its, &path))?;
        Ok(Self { shared })
    }

    pub(in super::super) fn write(&self, record: Record) {
        let (desk, changed) = &*self.shared;
        lock(desk).latest = Some(record);
        changed.notify_all();
    }

    /// Until what was given is written, but no longer than `patience`.
    pub(in super::super) fn settle(&self, patience: Duration) {
        let (desk, changed) = &*self.shared;
        let busy = |desk: &mut Desk| desk.latest.is_some() || desk.writing;
        let _ = changed.wait_timeout_while(lock(desk), patience, busy);
    }
}

fn write_all((desk, changed): &(Mutex<Desk>, Condvar), path: &Path) {
    let mut failing = false;
    loop {
        let nothing = |desk: &mut Desk| desk.latest.is_none();
        let mut waiting = changed
            .wait_while(lock(desk), nothing)
            .unwrap_or_else(PoisonError::into_inner);
        let record = waiting.latest.take();
        waiting.writing = true;
        drop(waiting);
        let written = serde_json::to_vec_pretty(&record)
            .map_err(io::Error::from)
            .and_then(|text| replace(path, &text, None));
        if let Err(error) = &written
            && !failing
        {
            tracing::warn!(path = %path.display(), %error, "operators' leases and pauses aren't remembered over a restart: make --state.dir writable");
        }
        failing = written.is_err();
        lock(desk).writing = false;
        changed.notify_all();
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
