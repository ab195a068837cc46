//! How an application is told, and where: the place is what a reload must not mistake, its words are
//! what one may change.

use std::path::PathBuf;

use ureq::Agent;

use crate::config::{AppConfig, EnvFileConfig, HttpConfig};
use crate::policy::AppMode;

use super::http;

/// A file's variable, or a URL. Whatever two configurations call the app there, it is the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    EnvFile { path: PathBuf, key: String },
    Http { url: String },
}

impl Place {
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::EnvFile { .. } => "env_file",
            Self::Http { .. } => "http",
        }
    }
}

/// How the app is told.
pub(super) enum Means {
    EnvFile(EnvFileConfig),
    Http(HttpConfig, Agent),
}

impl Means {
    pub(super) fn of(config: &AppConfig) -> impl Iterator<Item = Self> + use<> {
        let file = config.env_file.clone().map(Self::EnvFile);
        let http = config.http.clone().map(Self::http);
        file.into_iter().chain(http)
    }

    pub(super) fn http(http: HttpConfig) -> Self {
        Self::Http(http, http::agent())
    }

    pub(super) fn place(&self) -> Place {
        match self {
            Self::EnvFile(file) => Place::EnvFile {
                path: file.path.clone(),
                key: file.key.clone(),
            },
            Self::Http(http, _) => Place::Http {
                url: http.url.clone(),
            },
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::EnvFile(_) => "env_file",
            Self::Http(..) => "http",
        }
    }

    /// Where, for people; what stands behind the `?` of a URL may be a secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::EnvFile(file) => file.path.display().to_string(),
            Self::Http(http, _) => http.url.split('?').next().unwrap_or_default().to_owned(),
        }
    }

    /// The app's own word for a mode. Smaller batches come late, so the file stays normal in the
    /// first step of gradual.
    pub(super) fn word(&self, mode: AppMode) -> &str {
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

    pub(super) fn throttles(&self, mode: AppMode) -> bool {
        self.word(mode) != self.word(AppMode::Normal)
    }

    /// The app's own word for one of its modes.
    pub(super) fn knows(&self, word: &str) -> bool {
        let modes = [AppMode::Normal, AppMode::GradualBatch, AppMode::Emergency];
        modes.iter().any(|mode| self.word(*mode) == word)
    }

    /// Where the app says whether it is well.
    pub(super) const fn has_health(&self) -> bool {
        matches!(self, Self::Http(http, _) if http.health_url.is_some())
    }

    /// What it answers there: well, and perhaps in which mode. Blocks.
    pub(super) fn ask_health(&self) -> Result<Option<String>, String> {
        let Self::Http(http, agent) = self else {
            return Ok(None);
        };
        http::ask(agent, http).map_err(|error| format!("health_url: {error}"))
    }
}
