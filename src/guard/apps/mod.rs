//! Applications are told to slow down, and to go on. The workers only wish; what it takes to be
//! heard (files, requests, retries) happens in a task of its own for each file and each URL, so
//! that an app which hangs delays nothing and nobody.

mod channel;
mod http;
mod journal;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::{AppConfig, GpuSelection};
use crate::device::{Identity, Uuid};
use crate::policy::AppMode;

use channel::{Channel, Means, Progress};
use journal::Journal;

/// All configured applications. Dropping it ends their tasks.
pub struct Apps {
    all: Vec<App>,
    /// What each GPU's worker wants its apps to do.
    wishes: Mutex<HashMap<Uuid, (Arc<Identity>, AppMode)>>,
    _tasks: JoinSet<()>,
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

struct App {
    name: String,
    gpus: GpuSelection,
    wish: watch::Sender<Option<AppMode>>,
    channels: Vec<watch::Receiver<Progress>>,
    has_health: bool,
}

impl Apps {
    /// The file in the state directory that says which of them were told to slow down.
    pub const JOURNAL: &str = journal::FILE;

    /// Whether a guard that is gone may have told one to slow down, and not taken it back.
    pub fn may_be_left(state_dir: &Path) -> bool {
        journal::may_hold(state_dir)
    }

    /// Starts the tasks. Nothing is written or sent before a first wish that asks for it.
    pub fn spawn(
        config: Vec<AppConfig>,
        state_dir: Option<&Path>,
        observe: bool,
        runtime: &Handle,
    ) -> Self {
        let channels = |config: &AppConfig| {
            let keyed = |means: Means| (key(config, &means), means);
            means(config).map(keyed).collect::<Vec<_>>()
        };
        let all = config.iter().flat_map(&channels);
        let keys: Vec<_> = all.map(|(key, _)| key).collect();
        let journal = Arc::new(Journal::open(state_dir, &keys));
        for channel in journal.strangers(&keys) {
            tracing::warn!(
                channel,
                "was left throttled, but isn't configured any more: not told normal"
            );
        }
        let mut tasks = JoinSet::new();
        let mut apps = Vec::with_capacity(config.len());
        for config in config {
            let wish = watch::Sender::new(None);
            let spawn = |(key, means)| {
                let (progress, watched) = watch::channel(Progress::default());
                let channel = Channel {
                    app: config.name.clone(),
                    key,
                    means: Arc::new(means),
                    journal: Arc::clone(&journal),
                    observe,
                    wishes: wish.subscribe(),
                    progress,
                };
                tasks.spawn_on(channel.run(), runtime);
                watched
            };
            let channels = channels(&config).into_iter().map(spawn).collect();
            let http = config.http.as_ref();
            let has_health = http.is_some_and(|http| http.health_url.is_some());
            apps.push(App {
                has_health,
                name: config.name,
                gpus: config.gpus,
                wish,
                channels,
            });
        }
        Self {
            all: apps,
            wishes: Mutex::default(),
            _tasks: tasks,
        }
    }

    /// What one GPU's worker wants, on every tick. Doesn't block, does nothing if nothing changed.
    pub fn wish(&self, gpu: &Arc<Identity>, mode: AppMode) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let known = wishes.get(&gpu.uuid);
        if known.is_some_and(|(identity, known)| *known == mode && identity == gpu) {
            return;
        }
        wishes.insert(gpu.uuid.clone(), (Arc::clone(gpu), mode));
        self.pass_on(&wishes);
    }

    /// Whether the GPU's applications that have a health URL follow their wish and have answered it
    /// since. Those without one count as well, told or not.
    pub fn are_well(&self, gpu: &Identity) -> bool {
        let concerned = self.all.iter().filter(|app| app.gpus.matches(gpu));
        concerned.filter(|app| app.has_health).all(App::is_well)
    }

    /// This GPU is nobody's concern any more, whatever it wished.
    pub fn forget(&self, gpu: &Uuid) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.remove(gpu);
        self.pass_on(&wishes);
    }

    /// Everybody back to normal, also what a killed guard left behind: for a stop, a reload and
    /// `restore`, once nobody wishes any more.
    pub fn release_all(&self) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.clear();
        for app in &self.all {
            app.wish
                .send_if_modified(|wish| replaced(wish, AppMode::Normal));
        }
    }

    pub fn snapshot(&self) -> Vec<AppStatus> {
        self.all.iter().map(App::status).collect()
    }

    /// Waits until every app knows its wish. False: some didn't within `patience`.
    pub async fn settle(&self, patience: Duration) -> bool {
        timeout(patience, async {
            for app in &self.all {
                app.settled().await;
            }
        })
        .await
        .is_ok()
    }

    /// Each app follows the GPU that wants most of it. An app none of whose GPUs was heard of is
    /// left alone; one whose GPUs were all forgotten goes back to normal.
    fn pass_on(&self, wishes: &HashMap<Uuid, (Arc<Identity>, AppMode)>) {
        for app in &self.all {
            let own = wishes.values().filter(|(gpu, _)| app.gpus.matches(gpu));
            let most = own.map(|(_, mode)| *mode).max();
            let known = *app.wish.borrow();
            if let Some(mode) = most.or(known.map(|_| AppMode::Normal)) {
                app.wish.send_if_modified(|wish| replaced(wish, mode));
            }
        }
    }
}

impl App {
    fn status(&self) -> AppStatus {
        let wanted = self.wish.borrow().unwrap_or_default();
        let mut status = AppStatus {
            name: self.name.clone(),
            wanted,
            told: None,
            last_error: None,
            notifications_ok: 0,
            notifications_failed: 0,
            well: self.has_health.then(|| self.is_well()),
        };
        let progress: Vec<_> = self
            .channels
            .iter()
            .map(|seen| seen.borrow().clone())
            .collect();
        if progress.iter().any(|channel| channel.contacted) {
            status.told = progress.iter().filter_map(|channel| channel.heeded).min();
        }
        for channel in progress {
            status.last_error = status.last_error.or(channel.error).or(channel.health_error);
            status.notifications_ok += channel.ok;
            status.notifications_failed += channel.failed;
        }
        status
    }

    fn is_well(&self) -> bool {
        let wish = *self.wish.borrow();
        self.channels.iter().all(|channel| {
            let now = channel.borrow();
            !now.awaits_health && (wish.is_none() || now.heeded == wish)
        })
    }

    async fn settled(&self) {
        for channel in &self.channels {
            let mut channel = channel.clone();
            let heeded = |now: &Progress| match *self.wish.borrow() {
                Some(mode) => now.heeded == Some(mode),
                None => true,
            };
            // An error: the task is gone, and there is nothing left to wait for.
            let _ = channel.wait_for(heeded).await;
        }
    }
}

/// A channel's name in the journal; an app's name has no colon.
fn key(config: &AppConfig, means: &Means) -> String {
    format!("{}:{}", config.name, means.name())
}

fn means(config: &AppConfig) -> impl Iterator<Item = Means> + use<> {
    let file = config.env_file.clone().map(Means::EnvFile);
    let http = config.http.clone();
    let http = http.map(|http| Means::Http(http, http::agent()));
    file.into_iter().chain(http)
}

/// Whether that was a change.
fn replaced(wish: &mut Option<AppMode>, mode: AppMode) -> bool {
    wish.replace(mode) != Some(mode)
}
