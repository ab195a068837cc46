//! How an application is told its mode, and where. A reload must recognize the place; the words may
//! change.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use ureq::Agent;

use crate::config::app::{MODE_PLACEHOLDER, plain_url};
use crate::config::{AppConfig, EnvFileConfig, HttpConfig};
use crate::disk::patiently;
use crate::http_client;
use crate::policy::AppMode;

use super::http;

/// A variable in a file, or a URL. The same place is the same app, even under another name.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// `path` as configured, and `real`, the file that it leads to: two paths may lead to the same
    /// file.
    EnvFile {
        path: PathBuf,
        real: PathBuf,
        key: String,
    },
    Http {
        url: String,
    },
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http { url }, Self::Http { url: other }) => url == other,
            (
                Self::EnvFile { path, real, key },
                Self::EnvFile {
                    path: other_path,
                    real: other_real,
                    key: other_key,
                },
            ) => key == other_key && (path == other_path || real == other_real),
            _ => false,
        }
    }
}

impl Place {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::EnvFile { .. } => "env_file",
            Self::Http { .. } => "http",
        }
    }
}

/// How the app is told.
pub(crate) enum Means {
    /// With the file that the path leads to.
    EnvFile(EnvFileConfig, PathBuf),
    Http(HttpConfig, Agent),
}

/// How long resolving a path may take. After that, the path is used as written.
const PATIENCE: Duration = Duration::from_secs(1);

impl Means {
    /// The means of a configured application. Waits for its file's disk.
    pub(crate) fn of(config: &AppConfig) -> impl Iterator<Item = Self> + use<> {
        let file = config.env_file.clone().map(Self::env_file).map(Self::found);
        let http = config.http.clone().map(Self::http);
        file.into_iter().chain(http)
    }

    pub(crate) fn env_file(file: EnvFileConfig) -> Self {
        let real = written(&file.path);
        Self::EnvFile(file, real)
    }

    pub(crate) fn http(http: HttpConfig) -> Self {
        Self::Http(http, http::agent())
    }

    /// A copy.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::EnvFile(file, real) => Self::EnvFile(file.clone(), real.clone()),
            Self::Http(http, agent) => Self::Http(http.clone(), agent.clone()),
        }
    }

    /// Resolves the path with its links.
    pub(crate) fn found(self) -> Self {
        let Self::EnvFile(file, real) = self else {
            return self;
        };
        let path = file.path.clone();
        let found = patiently(&file.path, PATIENCE, move || path.canonicalize());
        // An error: it isn't there yet, or can't be seen.
        let real = found.flatten().unwrap_or(real);
        Self::EnvFile(file, real)
    }

    pub(crate) fn place(&self) -> Place {
        match self {
            Self::EnvFile(file, real) => Place::EnvFile {
                path: written(&file.path),
                real: real.clone(),
                key: file.key.clone(),
            },
            Self::Http(http, _) => Place::Http {
                url: plain_url(&http.url),
            },
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::EnvFile(..) => "env_file",
            Self::Http(..) => "http",
        }
    }

    /// The place, for people. The part of a URL after host and port may be a secret.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::EnvFile(file, _) => file.path.display().to_string(),
            Self::Http(http, _) => http_client::shown(&http.url.replace(MODE_PLACEHOLDER, NEUTRAL)),
        }
    }

    /// The app's own word for a mode. Smaller batches take effect late, so the file stays normal in the
    /// first step of gradual.
    pub(crate) fn word(&self, mode: AppMode) -> &str {
        match self {
            Self::EnvFile(file, _) => match mode {
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

    pub(crate) fn throttles(&self, mode: AppMode) -> bool {
        self.word(mode) != self.word(AppMode::Normal)
    }

    /// Whether this is the app's own word for one of its modes.
    pub(crate) fn knows(&self, word: &str) -> bool {
        let modes = [AppMode::Normal, AppMode::GradualBatch, AppMode::Emergency];
        modes.iter().any(|mode| self.word(*mode) == word)
    }

    /// Whether the app has a health URL.
    pub(crate) const fn has_health(&self) -> bool {
        matches!(self, Self::Http(http, _) if http.health_url.is_some())
    }

    /// Asks the health URL: whether the app is well, and perhaps its mode. Blocks.
    pub(crate) fn ask_health(&self) -> Result<Option<String>, String> {
        let Self::Http(http, agent) = self else {
            return Ok(None);
        };
        http::ask(agent, http).map_err(|error| format!("health_url: {error}"))
    }
}

/// The path without parts that lead nowhere: `.`, `x/..` and doubled slashes. With links, this may be
/// another file; [`Means::found`] finds out.
fn written(path: &Path) -> PathBuf {
    let mut written = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if written.file_name().is_some() => {
                written.pop();
            }
            part => written.push(part),
        }
    }
    written
}

/// A stand-in for the mode, so that a URL can be shown.
const NEUTRAL: &str = "-mode-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        for (a, b) in [
            ("http://H/x?m={mode}", "HTTP://h:80/x?m={mode}"),
            ("https://h", "https://h:443/"),
        ] {
            assert_eq!(plain_url(a), plain_url(b));
        }
        assert_ne!(plain_url("http://h/X"), plain_url("http://h/x"));
        assert_ne!(plain_url("http://h/"), plain_url("http://h:81/"));
        for (path, plain) in [
            ("/srv/./a//x.env", "/srv/a/x.env"),
            ("/srv/b/../a/x.env", "/srv/a/x.env"),
            ("/../x.env", "/../x.env"),
            ("../x.env", "../x.env"),
        ] {
            assert_eq!(written(Path::new(path)), Path::new(plain));
        }
    }
}
