//! The journal's entry of one channel: everything needed to give it back, even if the configuration
//! then names another place, or none.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::apps::envfile::Taken;
use crate::config::{EnvFileConfig, HttpConfig, Method, Modes};
use crate::policy::AppMode;

use super::means::{Means, Place};

/// A channel that was told something other than normal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) app: String,
    how: How,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum How {
    Named { channel: String },
    EnvFile { env_file: FileHow },
    Http { http: HttpHow },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileHow {
    path: PathBuf,
    key: String,
    normal: String,
    /// Its values.
    ours: Vec<String>,
    /// The original values.
    originals: Option<Vec<Bytes>>,
}

/// A file may be in any encoding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HttpHow {
    url: String,
    method: String,
    normal: String,
    /// What is sent for normal, if the app has a body of its own for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    bearer_token_file: Option<PathBuf>,
}

/// The form on disk; an older guard wrote only `app:kind`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Line {
    Name(String),
    Whole {
        app: String,
        #[serde(flatten)]
        how: How,
    },
}

impl From<Line> for Entry {
    fn from(line: Line) -> Self {
        match line {
            Line::Whole { app, how } => Self { app, how },
            Line::Name(channel) => Self {
                app: channel.split(':').next().unwrap_or_default().to_owned(),
                how: How::Named { channel },
            },
        }
    }
}

impl From<&Entry> for Line {
    fn from(entry: &Entry) -> Self {
        match &entry.how {
            How::Named { channel } => Self::Name(channel.clone()),
            how => Self::Whole {
                app: entry.app.clone(),
                how: how.clone(),
            },
        }
    }
}

impl Entry {
    pub(crate) fn new(app: &str, means: &Means, taken: Option<&Taken>) -> Self {
        let how = match means {
            Means::EnvFile(file, _) => How::EnvFile {
                env_file: FileHow::new(file, taken),
            },
            Means::Http(http, _) => How::Http {
                http: HttpHow::new(http),
            },
        };
        let app = app.to_owned();
        Self { app, how }
    }

    /// An older guard's name of such a channel.
    pub(crate) fn named(app: &str, place: &Place) -> Self {
        let channel = format!("{app}:{}", place.kind());
        Line::Name(channel).into()
    }

    /// `None`: only its name is known, and only a configuration can resolve that.
    pub(crate) fn place(&self) -> Option<Place> {
        self.means().map(|means| means.place())
    }

    /// Its key among the entries.
    pub(crate) fn key(&self) -> (String, Option<Place>) {
        let name = match &self.how {
            How::Named { channel } => channel,
            How::EnvFile { .. } | How::Http { .. } => &self.app,
        };
        (name.clone(), self.place())
    }

    /// Whether both are about the same channel, even if the app had another name.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        match (self.place(), other.place()) {
            (Some(place), Some(other)) => place == other,
            _ => self.key() == other.key(),
        }
    }

    /// Means that can only tell it normal.
    pub(crate) fn means(&self) -> Option<Means> {
        match &self.how {
            How::Named { .. } => None,
            How::EnvFile { env_file } => Some(Means::env_file(env_file.config())),
            How::Http { http } => Some(Means::http(http.config()?)),
        }
    }

    /// The strongest mode that it may have been told, if told by `means`.
    pub(crate) fn mode(&self, means: &Means) -> AppMode {
        let last = match &self.how {
            How::EnvFile { env_file } => env_file.ours.last(),
            How::Named { .. } | How::Http { .. } => None,
        };
        match last {
            Some(last) if last != means.word(AppMode::Emergency) => AppMode::GradualBatch,
            _ => AppMode::Emergency,
        }
    }

    pub(crate) fn taken(&self) -> Option<Taken> {
        match &self.how {
            How::EnvFile { env_file } => Some(env_file.taken()),
            How::Named { .. } | How::Http { .. } => None,
        }
    }
}

impl FileHow {
    fn new(file: &EnvFileConfig, taken: Option<&Taken>) -> Self {
        let unknown = || Taken::unknown(file);
        let taken = taken.cloned().unwrap_or_else(unknown);
        let originals = taken.originals;
        Self {
            path: file.path.clone(),
            key: file.key.clone(),
            normal: file.normal.clone(),
            ours: taken.ours,
            originals: originals.map(|all| all.into_iter().map(Bytes::from).collect()),
        }
    }

    fn config(&self) -> EnvFileConfig {
        let ours = self.ours.first().unwrap_or(&self.normal);
        EnvFileConfig {
            path: self.path.clone(),
            key: self.key.clone(),
            normal: self.normal.clone(),
            gradual: ours.clone(),
            emergency: ours.clone(),
        }
    }

    fn taken(&self) -> Taken {
        let originals = self.originals.clone();
        Taken {
            originals: originals.map(|all| all.into_iter().map(Vec::from).collect()),
            ours: self.ours.clone(),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Raw(error.into_bytes()), Self::Text)
    }
}

impl From<Bytes> for Vec<u8> {
    fn from(bytes: Bytes) -> Self {
        match bytes {
            Bytes::Text(text) => text.into_bytes(),
            Bytes::Raw(raw) => raw,
        }
    }
}

impl HttpHow {
    fn new(http: &HttpConfig) -> Self {
        Self {
            url: http.url.clone(),
            method: http.method.name().to_owned(),
            normal: http.modes.normal.clone(),
            body: http.bodies.get(&http.modes.normal).cloned(),
            bearer_token_file: http.bearer_token_file.clone(),
        }
    }

    fn config(&self) -> Option<HttpConfig> {
        let method = (Method::ALL.into_iter()).find(|it| it.name() == self.method)?;
        let modes = Modes {
            normal: self.normal.clone(),
            gradual: self.normal.clone(),
            emergency: self.normal.clone(),
        };
        Some(HttpConfig {
            url: self.url.clone(),
            method,
            modes,
            bodies: (self.body.iter())
                .map(|body| (self.normal.clone(), body.clone()))
                .collect(),
            bearer_token_file: self.bearer_token_file.clone(),
            health_url: None,
        })
    }
}
