//! Reads the journal of an earlier guard. A slow disk delays no start: reading continues in the
//! background, and its result is taken up later. Until then the journal isn't overwritten, and no app
//! is told normal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use crate::disk;
use crate::disk::Pending;

use super::journal::{self, Found, READ_PATIENCE};
use super::means::Means;
use super::record::Entry;
use super::state::{Answer, State};

/// Interval between failed attempts.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Interval between checks whether an attempt has ended.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// An attempt that hasn't ended yet, or is to be repeated.
pub(crate) struct LateRead {
    file: PathBuf,
    pending: Option<Pending<Result<Answer, io::Error>>>,
}

impl LateRead {
    /// Waits briefly for it. An error: why the result is unknown.
    pub(crate) fn first(file: &Path) -> (Self, Result<Answer, io::Error>) {
        let mut look = Self {
            file: file.to_owned(),
            pending: None,
        };
        if let Err(error) = look.begin() {
            return (look, Err(error));
        }
        let answer = look.pending.as_ref().map(|it| it.wait(READ_PATIENCE));
        let Some(Some(answer)) = answer else {
            let error = "the disk didn't answer within a second";
            let error = io::Error::new(io::ErrorKind::TimedOut, error);
            return (look, Err(error));
        };
        look.pending = None;
        (look, answer.flatten())
    }

    fn begin(&mut self) -> io::Result<()> {
        let file = self.file.clone();
        self.pending = Some(disk::begin(&self.file, move || answer(&file))?);
        Ok(())
    }

    /// Runs until the journal has been read, or its owner is gone.
    pub(crate) async fn go_on(mut self, state: Weak<Mutex<State>>) {
        loop {
            let back = self.pending.as_ref().map(Pending::try_take);
            let wait = match back {
                Some(None) => ASK_EVERY,
                Some(Some(Ok(Ok(answer)))) => {
                    if let Some(state) = state.upgrade() {
                        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                        tracing::info!("the applications' journal is read now");
                        state.take_up(answer);
                    }
                    return;
                }
                Some(Some(_)) | None => {
                    self.pending = None;
                    sleep(LOOK_EVERY).await;
                    // An error: no thread can be started now. Perhaps the next time.
                    let _ = self.begin();
                    ASK_EVERY
                }
            };
            if state.strong_count() == 0 {
                return;
            }
            sleep(wait).await;
        }
    }
}

/// Blocks, also to resolve the files' paths.
fn answer(file: &Path) -> Result<Answer, io::Error> {
    match journal::look(file) {
        Found::Entries(entries) => {
            let found = |entry: Entry| {
                let means = entry.means().map(Means::found);
                (entry, means)
            };
            Ok(Answer::Left(entries.into_iter().map(found).collect()))
        }
        Found::Foreign(error) => Ok(Answer::Foreign(error)),
        Found::Unread(error) => Err(error),
    }
}
