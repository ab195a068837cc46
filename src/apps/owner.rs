//! The owner of all applications, from the start of the guard to its end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use crate::config::AppConfig;
use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

use super::journal::{self, Journal};
use super::late::LateRead;
use super::roster::{Roster, Wanted, told};
use super::state::State;
use super::status::{AppStatus, Unknown};

/// Interval between two checks whether the journal has been read.
const READ_AGAIN: Duration = Duration::from_millis(20);

/// All applications. Dropping it ends their tasks.
pub struct Apps(Arc<Mutex<State>>);

impl Apps {
    /// The file in the state directory that records which apps were told to slow down.
    pub const JOURNAL: &str = journal::FILE;

    /// Whether an earlier guard may have left an app throttled.
    pub fn may_be_left(state_dir: &Path) -> bool {
        journal::may_hold(state_dir)
    }

    /// Starts the tasks. They write and send nothing before a worker first wants it, except to give
    /// back an app that an earlier guard left throttled and that is no longer configured.
    pub fn spawn(
        config: Vec<AppConfig>,
        state_dir: Option<&Path>,
        observe: bool,
        runtime: &Handle,
    ) -> Self {
        let journal = Journal::new(state_dir);
        let look = journal.file().map(LateRead::first);
        let roster = Roster::new(told(config), journal, observe, runtime);
        let mut state = State {
            roster,
            unknown: None,
            listed: [None, None],
            wishes: HashMap::new(),
        };
        let mut later = None;
        match look {
            None => {}
            Some((_, Ok(answer))) => state.take_up(answer),
            Some((look, Err(error))) => {
                let file = state_dir.map(|dir| dir.join(Self::JOURNAL));
                let file = file.as_deref().map(Path::display);
                let file = file.map(tracing::field::display);
                tracing::error!(file, %error, "the applications' journal can't be read now: they are told to slow down all the same, and none is told normal before it was read; look at the disk and the rights of --state.dir");
                state.unknown = Some(Unknown::Unread(error.to_string()));
                later = Some(look);
            }
        }
        let state = Arc::new(Mutex::new(state));
        if let Some(look) = later {
            runtime.spawn(look.go_on(Arc::downgrade(&state)));
        }
        Self(state)
    }

    /// Takes over another list, for the same GPUs. Apps that stay keep their state; apps that were
    /// removed are given back. Waits briefly for the disks of environment files.
    pub fn reconfigure(&self, config: Vec<AppConfig>) {
        let config = told(config);
        let mut state = self.lock();
        state.roster.replace(config);
        state.pass_on();
    }

    /// The GPUs that exist, at every inventory. A GPU whose worker hasn't spoken yet may want its apps
    /// slow. An app none of whose GPUs exists in two inventories in a row goes back to normal.
    pub fn list(&self, gpus: &[Arc<Identity>]) {
        let mut state = self.lock();
        let before = state.listed[0].replace(gpus.to_vec());
        state.listed[1] = before;
        state.pass_on();
    }

    /// The mode that one GPU's worker wants, on every tick. Doesn't block, and does nothing if nothing
    /// changed.
    pub fn wish(&self, gpu: &Arc<Identity>, mode: AppMode) {
        let mut state = self.lock();
        let known = state.wishes.get(&gpu.uuid);
        if known.is_some_and(|(identity, known)| *known == mode && identity == gpu) {
            return;
        }
        state
            .wishes
            .insert(gpu.uuid.clone(), (Arc::clone(gpu), mode));
        state.pass_on();
    }

    /// Whether the GPU's applications with a health URL follow the wanted mode and have answered since.
    /// Apps without a health URL count as well.
    pub fn are_well(&self, gpu: &Identity) -> bool {
        self.lock().roster.are_well(gpu)
    }

    /// This GPU no longer counts for its apps, whatever it wanted.
    pub fn forget(&self, gpu: &Uuid) {
        let mut state = self.lock();
        state.wishes.remove(gpu);
        state.pass_on();
    }

    /// Tells all apps to go back to normal, including those that a killed guard left throttled: for
    /// `restore`, when no worker runs.
    pub fn release_all(&self) {
        let mut state = self.lock();
        state.wishes.clear();
        state.roster.wish(|_| Wanted::Mode(AppMode::Normal));
    }

    /// The configured apps, and others that must still be given back.
    pub fn snapshot(&self) -> Vec<AppStatus> {
        self.lock().roster.snapshot()
    }

    /// Apps that are no longer configured and haven't been given back yet, or were just now.
    pub fn retired(&self) -> Vec<AppStatus> {
        self.lock().roster.retired()
    }

    /// Apps that an earlier guard left throttled and that can't be reached: only a configuration that
    /// names them could help.
    pub fn strangers(&self) -> Vec<String> {
        self.lock().roster.strangers()
    }

    /// Why it is unknown what an earlier guard left; `None` if it is known.
    pub fn unknown(&self) -> Option<Unknown> {
        self.lock().unknown.clone()
    }

    /// Waits until every app follows its wanted mode. False: some didn't within `patience`, or it is
    /// still unknown which apps were left throttled.
    pub async fn settle(&self, patience: Duration) -> bool {
        let settled = async {
            while self.lock().roster.is_unread() {
                sleep(READ_AGAIN).await;
            }
            let settled = self.lock().roster.settled();
            settled.await;
        };
        timeout(patience, settled).await.is_ok()
    }

    /// The state is consistent after every statement, even if a thread panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
