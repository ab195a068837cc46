//! The look at what a guard before this one has told the applications. A disk that is slow at the
//! start keeps nobody waiting: the look goes on beside, and what it finds is taken up then. Until
//! then nothing is written over it, and nobody is told normal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

use crate::files::{self, Pending};

use super::State;
use super::journal::{self, Found, READ_PATIENCE};
use super::means::Means;
use super::record::Entry;

/// Between two looks that fail.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Between two questions whether one is back.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// What was found, with where it leads.
pub(super) enum Answer {
    Left(Vec<(Entry, Option<Means>)>),
    /// It is no journal, and why.
    Foreign(io::Error),
}

/// A look that isn't back yet, or is to be made again.
pub(super) struct Look {
    file: PathBuf,
    pending: Option<Pending<Result<Answer, io::Error>>>,
}

impl Look {
    /// Waits for it, but not for long. An error: why it isn't known.
    pub(super) fn first(file: &Path) -> (Self, Result<Answer, io::Error>) {
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
        self.pending = Some(files::begin(&self.file, move || answer(&file))?);
        Ok(())
    }

    /// Until it has been read, or nobody wants to know any more.
    pub(super) async fn go_on(mut self, state: Weak<Mutex<State>>) {
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
                    // An error: there is no thread for it. The next time there may be.
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

/// Blocks, also to see where the files lead.
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
