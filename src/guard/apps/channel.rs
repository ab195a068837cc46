//! One way to tell one application: a task that makes the app know the latest wish, however long
//! that takes, and never more than that.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use ureq::Agent;

use crate::config::{EnvFileConfig, HttpConfig};
use crate::guard::envfile;
use crate::policy::AppMode;

use super::http;
use super::journal::Journal;

/// Between attempts: short enough for an app that just restarts, then doubled up to where an app
/// that is away for the night costs nothing.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How the app is told.
pub(super) enum Means {
    EnvFile(EnvFileConfig),
    Http(HttpConfig, Agent),
}

impl Means {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::EnvFile(_) => "env_file",
            Self::Http(..) => "http",
        }
    }

    /// The app's own word for a mode. Smaller batches come late, so the file stays normal in the
    /// first step of gradual.
    fn word(&self, mode: AppMode) -> &str {
        match self {
            Self::EnvFile(file) => match mode {
                AppMode::Normal | AppMode::Gradual => &file.normal,
                AppMode::GradualBatch => &file.gradual,
                AppMode::Emergency => &file.emergency,
            },
            Self::Http(http, _) => match mode {
                AppMode::Normal => &http.modes.normal,
                AppMode::Gradual | AppMode::GradualBatch => &http.modes.gradual,
                AppMode::Emergency => &http.modes.emergency,
            },
        }
    }

    /// Where the app says whether it is well.
    const fn has_health(&self) -> bool {
        matches!(self, Self::Http(http, _) if http.health_url.is_some())
    }

    /// Blocks.
    fn ask_health(&self) -> Result<(), String> {
        let Self::Http(http, agent) = self else {
            return Ok(());
        };
        http::ask(agent, http).map_err(|error| format!("health_url: {error}"))
    }

    /// Blocks.
    fn tell(&self, word: &str) -> Result<(), String> {
        match self {
            Self::EnvFile(file) => envfile::set(&file.path, &file.key, word)
                .map(drop)
                .map_err(|error| error.to_string()),
            Self::Http(http, agent) => {
                http::tell(agent, http, word).map_err(|error| error.to_string())
            }
        }
    }
}

/// What is known of a channel from outside its task.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// The wish that the app is known to follow, even if nothing had to be said for it.
    pub(super) heeded: Option<AppMode>,
    /// Anything was ever said.
    pub(super) contacted: bool,
    pub(super) ok: u64,
    pub(super) failed: u64,
    /// `None`: the last attempt succeeded.
    pub(super) error: Option<String>,
    /// Told something, and its health URL hasn't answered since. Never without such a URL.
    pub(super) awaits_health: bool,
    /// Why not.
    pub(super) health_error: Option<String>,
}

/// The task's own.
pub(super) struct Channel {
    pub(super) app: String,
    /// Name in the journal.
    pub(super) key: String,
    pub(super) means: Arc<Means>,
    pub(super) journal: Arc<Journal>,
    /// Only pretend.
    pub(super) observe: bool,
    /// `None` until the first wish.
    pub(super) wishes: watch::Receiver<Option<AppMode>>,
    pub(super) progress: watch::Sender<Progress>,
}

/// What the task knows of its app.
struct Known {
    /// Its present word, if that is certain.
    word: Option<String>,
    /// Whether it is throttled is on disk.
    is_journaled: bool,
}

impl Channel {
    /// Runs until nobody can wish any more.
    pub(super) async fn run(mut self) {
        // What the app goes by: normal, unless it may have been told otherwise.
        let normal = self.means.word(AppMode::Normal).to_owned();
        let left = self.journal.was_throttled(&self.key);
        let mut known = Known {
            word: (!left).then_some(normal),
            is_journaled: true,
        };
        let mut retry = RETRY_FIRST;
        loop {
            let wish = *self.wishes.borrow_and_update();
            let settled = match wish {
                Some(mode) => {
                    self.heed(mode, &mut known).await && self.is_well().await && known.is_journaled
                }
                None => true,
            };
            let alive = if settled {
                retry = RETRY_FIRST;
                self.wishes.changed().await.is_ok()
            } else if let Ok(changed) = timeout(retry, self.wishes.changed()).await {
                retry = RETRY_FIRST;
                changed.is_ok()
            } else {
                retry = (retry * 2).min(RETRY_MAX);
                true
            };
            if !alive {
                return;
            }
        }
    }

    /// One attempt to make the app follow.
    async fn heed(&self, mode: AppMode, known: &mut Known) -> bool {
        let word = self.means.word(mode);
        let throttles = word != self.means.word(AppMode::Normal);
        if known.word.as_deref() != Some(word) {
            if throttles {
                self.record(true, known).await;
            }
            // Not known while under way: a request that timed out may have arrived.
            known.word = None;
            let awaits = self.means.has_health() && !self.observe;
            self.progress.send_modify(|now| now.awaits_health = awaits);
            if let Err(error) = self.tell(word).await {
                self.failed(error);
                return false;
            }
            known.word = Some(word.to_owned());
            if !throttles {
                self.record(false, known).await;
            }
            self.succeeded();
        } else if !known.is_journaled {
            self.record(throttles, known).await;
        }
        self.progress.send_modify(|now| now.heeded = Some(mode));
        true
    }

    /// Asks its health URL, if it was told something since that last answered.
    async fn is_well(&self) -> bool {
        if !self.progress.borrow().awaits_health {
            return true;
        }
        let means = Arc::clone(&self.means);
        let asked = spawn_blocking(move || means.ask_health()).await;
        let error = asked.unwrap_or_else(|panic| Err(panic.to_string())).err();
        let app = self.app.as_str();
        match (&error, self.progress.borrow().health_error.is_some()) {
            (Some(error), false) => {
                tracing::warn!(
                    app,
                    error,
                    "application isn't well since it was told its mode"
                );
            }
            (None, true) => tracing::info!(app, "application is well again"),
            _ => {}
        }
        let well = error.is_none();
        self.progress.send_modify(|now| {
            now.awaits_health = !well;
            now.health_error = error;
        });
        well
    }

    async fn tell(&self, word: &str) -> Result<(), String> {
        if self.observe {
            return Ok(());
        }
        let (means, word) = (Arc::clone(&self.means), word.to_owned());
        let told = spawn_blocking(move || means.tell(&word)).await;
        told.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    /// A journal that fails is no reason to leave an app at full speed, but one to say so, and to
    /// try again: a guard that dies meanwhile leaves what nobody knows of.
    async fn record(&self, throttled: bool, known: &mut Known) {
        if self.observe {
            return;
        }
        let app = self.app.as_str();
        let result = self.journal.record(&self.key, throttled).await;
        let before = std::mem::replace(&mut known.is_journaled, result.is_ok());
        match result {
            Err(error) if before => {
                tracing::error!(app, throttled, %error, "app journal not written: it is told nevertheless");
            }
            Ok(()) if !before => tracing::info!(app, "app journal written again"),
            _ => {}
        }
    }

    /// Logged when the trouble begins, not every time.
    fn failed(&self, error: String) {
        let (app, channel) = (self.app.as_str(), self.means.name());
        if self.progress.borrow().error.is_none() {
            tracing::warn!(app, channel, error, "application can't be told its mode");
        }
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.failed += 1;
            now.error = Some(error);
        });
    }

    fn succeeded(&self) {
        let (app, channel) = (self.app.as_str(), self.means.name());
        if self.progress.borrow().error.is_some() {
            tracing::info!(app, channel, "application can be told its mode again");
        }
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.ok += 1;
            now.error = None;
        });
    }
}
