//! Reloads the configuration on SIGHUP and `POST /-/reload`. A bad file changes nothing and shows in a
//! metric. A file with a change that needs a restart is refused as a whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::alerts::{Desk, Settings};
use crate::apps::Apps;
use crate::cli::flags::Flags;
use crate::cli::output::in_full;
use crate::cli::setup;
use crate::clock::Clock;
use crate::config::{Config, Mode};
use crate::events::What;
use crate::web::Reload;
use crate::web::access::actuators::Actuators;
use crate::web::actuate::reload_counters::ReloadCounters;
use crate::web::snapshot::ConfigurationView;

use super::env_files::EnvFiles;
use super::parts;
use super::systemd;

/// The settings that a reload replaces.
#[derive(Clone)]
pub(crate) struct Reloader(Arc<Inner>);

struct Inner {
    flags: Flags,
    runtime: Handle,
    config: Mutex<Config>,
    apps: Arc<Apps>,
    env_files: Arc<EnvFiles>,
    desk: Arc<Desk>,
    actuators: Arc<Actuators>,
    counters: ReloadCounters,
    /// One reload at a time, so that the file that was read last is in force.
    turn: Mutex<()>,
    /// Reloads requested by signals.
    asked: Mutex<Asked>,
}

/// Reloads in the background, without a caller that waits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    UnderWay,
    /// Once more after the current one, which may have read the file before the change.
    Again,
}

impl Reloader {
    /// `read`: when `config` was read, since the Unix epoch.
    pub(crate) fn new(
        flags: &Flags,
        config: &Config,
        apps: Arc<Apps>,
        desk: Arc<Desk>,
        actuators: Arc<Actuators>,
        read: Duration,
    ) -> Self {
        let env_files = Arc::new(EnvFiles::default());
        if config.mode == Mode::Enforce {
            env_files.watch_files(&config.apps);
        }
        Self(Arc::new(Inner {
            env_files,
            flags: flags.clone(),
            runtime: Handle::current(),
            apps,
            config: Mutex::new(config.clone()),
            desk,
            actuators,
            counters: ReloadCounters::started(read),
            turn: Mutex::new(()),
            asked: Mutex::new(Asked::No),
        }))
    }

    pub(crate) fn counters(&self) -> &ReloadCounters {
        &self.0.counters
    }

    /// The file of the configuration in force, and when it was read.
    pub(crate) fn configuration(&self) -> Option<ConfigurationView> {
        let file = path::absolute(self.0.flags.config_file.as_deref()?).ok()?;
        Some(ConfigurationView {
            file: file.display().to_string(),
            read: self.0.counters.last_success(),
        })
    }

    /// The apps; they outlive every reload.
    pub(crate) fn apps(&self) -> Arc<Apps> {
        Arc::clone(&self.0.apps)
    }

    /// Checks of the apps' files; empty in `observe`, which writes none.
    pub(crate) fn env_files(&self) -> Arc<EnvFiles> {
        Arc::clone(&self.0.env_files)
    }

    /// The function that `POST /-/reload` calls.
    pub(crate) fn hook(&self) -> Reload {
        let reloader = self.clone();
        Box::new(move || reloader.reload())
    }

    /// Reloads in the background: a file that hangs must not keep the process from ending. A mistake is
    /// logged and shows in a metric; the old configuration stays in force.
    pub(crate) fn request(&self) {
        let mut asked = self.asked();
        if *asked != Asked::No {
            *asked = Asked::Again;
            return;
        }
        *asked = Asked::UnderWay;
        let reloader = self.clone();
        self.0.runtime.spawn_blocking(move || {
            loop {
                // A panic is logged, and a later reload still runs.
                let _ = catch_unwind(AssertUnwindSafe(|| reloader.reload()));
                let mut asked = reloader.asked();
                *asked = match *asked {
                    Asked::Again => Asked::UnderWay,
                    _ => Asked::No,
                };
                if *asked == Asked::No {
                    return;
                }
            }
        });
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reload(&self) -> Result<(), String> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        systemd::reloading();
        let read = Clock::unix();
        let result = self.0.take_over();
        systemd::reloaded();
        let ok = result.is_ok();
        let detail = result.as_ref().err().map(|why| first_line(why).into());
        let reloaded = What::Reloaded { ok, detail };
        self.0.desk.shared.events.note(None, reloaded);
        self.0.counters.count(ok, read);
        self.0.desk.shared.generation.advance();
        match &result {
            Ok(()) => tracing::info!("configuration reloaded"),
            Err(error) => tracing::error!(
                error,
                "configuration not reloaded: the old one stays in force"
            ),
        }
        result
    }
}

/// An event is one line; the log has them all.
fn first_line(why: &str) -> String {
    why.lines().next().unwrap_or_default().to_owned()
}

impl Inner {
    fn take_over(&self) -> Result<(), String> {
        let config = setup::configuration(&self.flags).map_err(|error| error.to_string())?;
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        refuse_what_needs_a_restart(&current, &config)?;
        let events = &self.desk.shared.events;
        let node = self.desk.settings().node.name().to_owned();
        // Made first: its file of authorities may be wrong, and then nothing changes.
        let notifier = (config.notify != current.notify)
            .then(|| parts::notifier(&self.flags, &config, &node, events))
            .transpose()
            .map_err(|error| in_full(&error))?;
        self.actuators
            .allow(config.hook.client_allowed_sans.clone());
        let held = self.desk.settings();
        self.desk.reconfigure(Settings {
            lease: config.hook.lease,
            severity_map: config.hook.severity_map.clone(),
            node: held.node.clone().also(&config.node_names),
        });
        self.desk.shared.reload(parts::live(&config));
        if let Some(notifier) = notifier {
            events.tell(notifier);
        }
        if config.apps != current.apps {
            self.apps.reconfigure(config.apps.clone());
        }
        if config.mode == Mode::Enforce {
            self.env_files.watch_files(&config.apps);
        }
        *current = config;
        Ok(())
    }
}

fn refuse_what_needs_a_restart(current: &Config, config: &Config) -> Result<(), String> {
    let changed = [
        ("mode", current.mode != config.mode),
        ("alertmanager", current.alertmanager != config.alertmanager),
        (
            "hook.bearer_token_file",
            current.hook.bearer_token_file != config.hook.bearer_token_file,
        ),
    ];
    match changed.iter().find(|(_, changed)| *changed) {
        Some((key, _)) => Err(format!(
            "`{key}` can't change while running: restart the guard"
        )),
        None => Ok(()),
    }
}
