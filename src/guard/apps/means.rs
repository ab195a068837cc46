//! How an application is told, and where: the place is what a reload must not mistake, its words are
//! what one may change.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;
use ureq::http::uri::PathAndQuery;

use crate::config::app::MODE_PLACEHOLDER;
use crate::config::{AppConfig, EnvFileConfig, HttpConfig};
use crate::files::patiently;
use crate::policy::AppMode;

use super::http;

/// A file's variable, or a URL. Whatever two configurations call the app there, it is the same one.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// `path` as it is configured, `real` where that leads: one by another way to the same file.
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
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::EnvFile { .. } => "env_file",
            Self::Http { .. } => "http",
        }
    }
}

/// How the app is told.
pub(super) enum Means {
    /// And the file that the path leads to.
    EnvFile(EnvFileConfig, PathBuf),
    Http(HttpConfig, Agent),
}

/// How long a disk may take to say where a path leads. After that, the path is taken as written.
const PATIENCE: Duration = Duration::from_secs(1);

impl Means {
    /// Of a configured application. Waits for its file's disk.
    pub(super) fn of(config: &AppConfig) -> impl Iterator<Item = Self> + use<> {
        let file = config.env_file.clone().map(Self::env_file).map(Self::found);
        let http = config.http.clone().map(Self::http);
        file.into_iter().chain(http)
    }

    pub(super) fn env_file(file: EnvFileConfig) -> Self {
        let real = written(&file.path);
        Self::EnvFile(file, real)
    }

    pub(super) fn http(http: HttpConfig) -> Self {
        Self::Http(http, http::agent())
    }

    /// The same once more.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::EnvFile(file, real) => Self::EnvFile(file.clone(), real.clone()),
            Self::Http(http, agent) => Self::Http(http.clone(), agent.clone()),
        }
    }

    /// Looks where the path leads, links and all.
    pub(super) fn found(self) -> Self {
        let Self::EnvFile(file, real) = self else {
            return self;
        };
        let path = file.path.clone();
        let found = patiently(&file.path, PATIENCE, move || path.canonicalize());
        // An error: it isn't there yet, or can't be seen.
        let real = found.flatten().unwrap_or(real);
        Self::EnvFile(file, real)
    }

    pub(super) fn place(&self) -> Place {
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

    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::EnvFile(..) => "env_file",
            Self::Http(..) => "http",
        }
    }

    /// Where, for people. What stands in a URL behind the host and port may be a secret.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::EnvFile(file, _) => file.path.display().to_string(),
            Self::Http(http, _) => shown_url(&http.url),
        }
    }

    /// The app's own word for a mode. Smaller batches come late, so the file stays normal in the
    /// first step of gradual.
    pub(super) fn word(&self, mode: AppMode) -> &str {
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

/// The path without what leads nowhere: `.`, `x/..` and doubled slashes. Links may make that another
/// file, but then [`Means::found`] tells.
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

/// A stand-in for the mode, so that a URL can be parsed.
const NEUTRAL: &str = "-mode-";

fn parsed(url: &str) -> Option<Uri> {
    url.replace(MODE_PLACEHOLDER, NEUTRAL).parse().ok()
}

/// Scheme, host and port, always in the same way; IPv6 in its brackets.
fn origin(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    let host = uri.host()?.to_ascii_lowercase();
    Some(format!("{scheme}://{host}:{port}"))
}

/// Of two ways to write a URL, one.
fn plain_url(url: &str) -> String {
    let plain = parsed(url).and_then(|uri| {
        let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        Some(origin(&uri)? + rest)
    });
    plain.unwrap_or_else(|| url.to_owned())
}

fn shown_url(url: &str) -> String {
    let shown = parsed(url).and_then(|uri| {
        let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let more = if rest == "/" { "/" } else { "/…" };
        Some(origin(&uri)? + more)
    });
    shown.unwrap_or_else(|| "a URL".to_owned())
}

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

    #[test]
    fn nothing_of_a_url_is_shown_but_whom_it_leads_to() {
        for (url, shown) in [
            ("http://h/hunter2/{mode}?t=hunter2", "http://h:80/…"),
            ("http://u:hunter2@h:81/{mode}", "http://h:81/…"),
            ("https://[::1]/", "https://[::1]:443/"),
            ("http://h?hunter2", "http://h:80/…"),
        ] {
            assert_eq!(shown_url(url), shown);
        }
    }
}
