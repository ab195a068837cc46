//! SIGHUP and `POST /-/reload`: the file read again. A bad one changes nothing, and says so in a
//! metric; what needs a restart is refused as a whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Handle;

use crate::cli::Flags;
use crate::config::{Config, Mode};
use crate::guard::events::What;
use crate::guard::{Apps, Clock};
use crate::web::snapshot::ReloadStatus;
use crate::web::{Reload, Settings, Web};

use super::env_files::EnvFiles;
use super::site::About;
use super::systemd;

/// Holds what a reload replaces.
#[derive(Clone)]
pub(super) struct Reloader(Arc<Inner>);

struct Inner {
    flags: Flags,
    runtime: Handle,
    config: Mutex<Config>,
    apps: Arc<Apps>,
    env_files: Arc<EnvFiles>,
    /// Known once the web is: reloads come through it.
    served: OnceLock<(Arc<Web>, Arc<About>)>,
    /// One at a time: what is read later is in force later.
    turn: Mutex<()>,
    /// What signals asked for.
    asked: Mutex<Asked>,
}

/// Reloads that nobody waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    No,
    UnderWay,
    /// Once more after the one under way, which may have read the file before it was changed.
    Again,
}

impl Reloader {
    pub(super) fn new(flags: &Flags, config: &Config) -> Self {
        let env_files = Arc::new(EnvFiles::default());
        if config.mode == Mode::Enforce {
            env_files.look_at(&config.apps);
        }
        Self(Arc::new(Inner {
            env_files,
            flags: flags.clone(),
            runtime: Handle::current(),
            apps: Arc::new(super::apps(flags, config)),
            config: Mutex::new(config.clone()),
            served: OnceLock::new(),
            turn: Mutex::new(()),
            asked: Mutex::new(Asked::No),
        }))
    }

    pub(super) fn serve(&self, web: &Arc<Web>, about: &Arc<About>) {
        // Called once, while starting.
        let _ = self.0.served.set((web.clone(), about.clone()));
    }

    /// All apps, whatever is reloaded.
    pub(super) fn apps(&self) -> Arc<Apps> {
        Arc::clone(&self.0.apps)
    }

    /// Theirs; none in `observe`, where none is written.
    pub(super) fn env_files(&self) -> Arc<EnvFiles> {
        Arc::clone(&self.0.env_files)
    }

    /// What `POST /-/reload` calls.
    pub(super) fn hook(&self) -> Reload {
        let reloader = self.clone();
        Box::new(move || reloader.reload())
    }

    /// Reloads beside whoever asks: a file that hangs must not keep the process from ending. What was
    /// wrong is logged and in a metric; the old configuration goes on.
    pub(super) fn request(&self) {
        let mut asked = self.asked();
        if *asked != Asked::No {
            *asked = Asked::Again;
            return;
        }
        *asked = Asked::UnderWay;
        let reloader = self.clone();
        self.0.runtime.spawn_blocking(move || {
            loop {
                // A panic is in the log, and no reason never to reload again.
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

    pub(super) fn reload(&self) -> Result<(), String> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((web, about)) = self.0.served.get() else {
            return Err("starting".to_owned());
        };
        systemd::reloading();
        let result = self.0.take_over(web);
        systemd::reloaded();
        let ok = result.is_ok();
        web.shared.events.note(None, What::Reloaded { ok });
        let mut status = about.reload.lock().unwrap_or_else(PoisonError::into_inner);
        match &result {
            Ok(()) => {
                *status = ReloadStatus {
                    successful: true,
                    last_success: Some(Clock::unix()),
                };
                tracing::info!("configuration reloaded");
            }
            Err(error) => {
                status.successful = false;
                tracing::error!(
                    error,
                    "configuration not reloaded: the old one stays in force"
                );
            }
        }
        result
    }
}

impl Inner {
    fn take_over(&self, web: &Web) -> Result<(), String> {
        let config = super::configuration(&self.flags).map_err(|error| error.to_string())?;
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        refuse_what_needs_a_restart(&current, &config)?;
        let held = web.settings();
        web.reconfigure(Settings {
            tokens: held.tokens.clone(),
            client_allowed_sans: config.hook.client_allowed_sans.clone(),
            lease: config.hook.lease,
            severity_map: config.hook.severity_map.clone(),
            node: held.node.clone().also(&config.node_names),
        });
        web.shared.reload(super::live(&config));
        if config.apps != current.apps {
            self.apps.reconfigure(config.apps.clone());
        }
        if config.mode == Mode::Enforce {
            self.env_files.look_at(&config.apps);
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
