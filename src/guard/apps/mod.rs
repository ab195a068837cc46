//! Applications are told to slow down, and to go on. The workers only wish; what it takes to be
//! heard (files, requests, retries) happens in a task of its own for each file and each URL, so
//! that an app which hangs delays nothing and nobody.
//!
//! There is one owner of all that, for as long as the guard runs: a reload hands it another list.

mod channel;
mod http;
mod journal;
mod late;
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
use tokio::time::{sleep, timeout};

use crate::config::AppConfig;
use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

use journal::Journal;
use late::{Answer, Look};
use roster::{Roster, Wanted, told};

/// Between two questions whether the journal was read.
const READ_AGAIN: Duration = Duration::from_millis(20);

/// All applications. Dropping it ends their tasks.
pub struct Apps(Arc<Mutex<State>>);

/// Why it isn't known what a guard that is gone has told them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The file couldn't be read yet: it is looked at again and again.
    Unread(String),
    /// The file is no journal.
    Foreign(String),
}

struct State {
    roster: Roster,
    unknown: Option<Unknown>,
    /// The GPUs that are there to be guarded, as last and as told before that.
    listed: [Option<Vec<Arc<Identity>>>; 2],
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
        let journal = Journal::new(state_dir);
        let look = journal.file().map(Look::first);
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

    /// Another list, with the same GPUs as before. What stays goes on with what it was told; what
    /// doesn't is given back. Waits for the disks of environment files, but not for long.
    pub fn reconfigure(&self, config: Vec<AppConfig>) {
        let config = told(config);
        let mut state = self.lock();
        state.roster.replace(config);
        state.pass_on();
    }

    /// Which GPUs are there to be guarded, at every look. One that hasn't wished yet may want its
    /// apps slow; an app none of whose GPUs is there, twice in a row, is nobody's concern.
    pub fn list(&self, gpus: &[Arc<Identity>]) {
        let mut state = self.lock();
        let before = state.listed[0].replace(gpus.to_vec());
        state.listed[1] = before;
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
        state.roster.wish(|_| Wanted::Mode(AppMode::Normal));
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

    /// Why it isn't known what was left, if it isn't.
    pub fn unknown(&self) -> Option<Unknown> {
        self.lock().unknown.clone()
    }

    /// Waits until every app knows its wish. False: some didn't within `patience`, or it isn't known
    /// yet who was left throttled.
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

    /// What is kept here is whole after every statement, whoever panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take_up(&mut self, answer: Answer) {
        match answer {
            Answer::Left(found) => {
                self.unknown = None;
                self.roster.take_up(found);
            }
            Answer::Foreign(error) => {
                tracing::error!(%error, "apps.json in the state directory can't be understood: which applications were left throttled isn't known");
                self.unknown = Some(Unknown::Foreign(error.to_string()));
                self.roster.suspect_all();
            }
        }
    }

    /// Each app follows the GPU that wants most of it. An app none of whose GPUs was heard of is
    /// left alone; one whose GPUs were all forgotten goes back to normal.
    fn pass_on(&mut self) {
        let (wishes, [now, before]) = (&self.wishes, &self.listed);
        self.roster.wish(|gpus| {
            let own = wishes.values().filter(|(gpu, _)| gpus.matches(gpu));
            let most = own.map(|(_, mode)| *mode).max();
            let is_silent =
                |gpu: &Arc<Identity>| gpus.matches(gpu) && !wishes.contains_key(&gpu.uuid);
            let is_gone = |listed: &Option<Vec<Arc<Identity>>>| {
                let listed = listed.as_ref();
                listed.is_some_and(|all| !all.iter().any(|gpu| gpus.matches(gpu)))
            };
            match most {
                Some(mode) if mode > AppMode::Normal => Wanted::Mode(mode),
                _ if now.iter().flatten().any(is_silent) => Wanted::Open,
                Some(mode) => Wanted::Mode(mode),
                None if is_gone(now) && is_gone(before) => Wanted::Gone,
                None => Wanted::Nothing,
            }
        });
    }
}
