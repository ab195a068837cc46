//! Checks in advance whether the service can write each application's `env_file`: at the start, after a
//! reload, and every minute, because permissions and mounts change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::apps::envfile::{could_edit, remedy};
use crate::config::{AppConfig, EnvFileConfig};
use crate::disk;

const CHECK_EVERY: Duration = Duration::from_secs(60);

/// For the disk that a file is on.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct EnvFiles {
    /// By application.
    wanted: Mutex<BTreeMap<String, EnvFileConfig>>,
    found: Mutex<Found>,
    again: Notify,
}

/// By application: `Ok`, or the reason why its file can't be written, with the remedy.
type Found = BTreeMap<String, Result<(), String>>;

impl EnvFiles {
    /// Checks these files from now on, the first time at once.
    pub(crate) fn watch_files(&self, apps: &[AppConfig]) {
        let with_file = apps.iter().filter_map(|app| {
            let file = app.env_file.clone()?;
            Some((app.name.clone(), file))
        });
        *lock(&self.wanted) = with_file.collect();
        self.again.notify_one();
    }

    /// `None`: the app has no file, or the file hasn't been checked yet.
    pub(crate) fn of(&self, app: &str) -> Option<Result<(), String>> {
        lock(&self.found).get(app).cloned()
    }

    /// Until the service ends.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            let files = self.clone();
            // A panic is logged, and the next check still runs.
            let _ = tokio::task::spawn_blocking(move || files.check()).await;
            let _ = timeout(CHECK_EVERY, self.again.notified()).await;
        }
    }

    fn check(&self) {
        let wanted = lock(&self.wanted).clone();
        let found: Found = wanted
            .into_iter()
            .map(|(app, file)| (app, trouble(file)))
            .collect();
        let mut before = lock(&self.found);
        for (app, now) in &found {
            match (before.get(app), now) {
                (Some(Err(before)), Err(now)) if before == now => {}
                (_, Err(trouble)) => {
                    tracing::warn!(
                        app,
                        trouble,
                        "the application can't be told to slow down: its env_file can't be written from here"
                    );
                }
                (Some(Err(_)), Ok(())) => {
                    tracing::info!(app, "the application's env_file can be written now");
                }
                (_, Ok(())) => {}
            }
        }
        *before = found;
    }
}

fn trouble(file: EnvFileConfig) -> Result<(), String> {
    let path = file.path.clone();
    let checked = disk::patiently(&path, PATIENCE, move || {
        could_edit(&file).map_err(|error| format!("{error}; {}", remedy(&file.path, &error)))
    });
    checked.unwrap_or_else(|error| {
        Err(format!(
            "{}: {error}; see the disk that it is on",
            path.display()
        ))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
