//! Applications are told to slow down, and to go on. The workers only wish; what it takes to be
//! heard (files, requests, retries) happens in a task of its own for each file and each URL, so
//! that an app which hangs delays nothing and nobody.
//!
//! There is one owner of all that, for as long as the guard runs: a reload hands it another list.

mod channel;
mod http;
mod journal;
mod means;
mod record;
mod roster;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::config::AppConfig;
use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

use roster::Roster;

/// All applications. Dropping it ends their tasks.
pub struct Apps(Mutex<State>);

struct State {
    roster: Roster,
    /// What each GPU's worker wants its apps to do.
    wishes: HashMap<Uuid, (Arc<Identity>, AppMode)>,
}

/// One application, for metrics and the status API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatus {
    pub name: String,
    pub wanted: AppMode,
    /// What it goes by; with two ways to tell it, what it got by both. `None`: never told anything.
    pub told: Option<AppMode>,
    pub last_error: Option<String>,
    pub notifications_ok: u64,
    pub notifications_failed: u64,
    /// Has answered its health URL since it was last told something; `None` without such a URL.
    pub well: Option<bool>,
}

impl Apps {
    /// The file in the state directory that says which of them were told to slow down.
    pub const JOURNAL: &str = journal::FILE;

    /// Whether a guard that is gone may have told one to slow down, and not taken it back.
    pub fn may_be_left(state_dir: &Path) -> bool {
        journal::may_hold(state_dir)
    }

    /// Starts the tasks. Nothing is written or sent before a first wish that asks for it, but to give
    /// back where a former guard left something throttled that isn't configured any more.
    pub fn spawn(
        config: Vec<AppConfig>,
        state_dir: Option<&Path>,
        observe: bool,
        runtime: &Handle,
    ) -> Self {
        Self(Mutex::new(State {
            roster: Roster::new(config, state_dir, observe, runtime),
            wishes: HashMap::new(),
        }))
    }

    /// Another list, with the same GPUs as before. What stays goes on with what it was told; what
    /// doesn't is given back.
    pub fn reconfigure(&self, config: Vec<AppConfig>) {
        let mut state = self.lock();
        state.roster.replace(config);
        state.pass_on();
    }

    /// What one GPU's worker wants, on every tick. Doesn't block, does nothing if nothing changed.
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

    /// Whether the GPU's applications that have a health URL follow their wish and have answered it
    /// since. Those without one count as well, told or not.
    pub fn are_well(&self, gpu: &Identity) -> bool {
        self.lock().roster.are_well(gpu)
    }

    /// This GPU is nobody's concern any more, whatever it wished.
    pub fn forget(&self, gpu: &Uuid) {
        let mut state = self.lock();
        state.wishes.remove(gpu);
        state.pass_on();
    }

    /// Everybody back to normal, also what a killed guard left behind: for `restore`, once nobody
    /// wishes any more.
    pub fn release_all(&self) {
        let mut state = self.lock();
        state.wishes.clear();
        state.roster.wish(|_| Some(AppMode::Normal));
    }

    /// The configured ones, and others that still have to be given back.
    pub fn snapshot(&self) -> Vec<AppStatus> {
        self.lock().roster.snapshot()
    }

    /// Those that aren't configured any more and weren't given back yet, or just were.
    pub fn retired(&self) -> Vec<AppStatus> {
        self.lock().roster.retired()
    }

    /// What a former guard left throttled that nobody can tell any more: only a configuration that
    /// names it could.
    pub fn strangers(&self) -> Vec<String> {
        self.lock().roster.strangers()
    }

    /// Waits until every app knows its wish. False: some didn't within `patience`.
    pub async fn settle(&self, patience: Duration) -> bool {
        let settled = self.lock().roster.settled();
        timeout(patience, settled).await.is_ok()
    }

    /// What is kept here is whole after every statement, whoever panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Each app follows the GPU that wants most of it. An app none of whose GPUs was heard of is
    /// left alone; one whose GPUs were all forgotten goes back to normal.
    fn pass_on(&mut self) {
        let wishes = &self.wishes;
        self.roster.wish(|gpus| {
            let own = wishes.values().filter(|(gpu, _)| gpus.matches(gpu));
            own.map(|(_, mode)| *mode).max()
        });
    }
}
