//! One webhook that events are told to, for a node without an Alertmanager.

use std::path::{Path, PathBuf};

use super::tree::section::Section;
use super::tree::value::{Wrong, choice, path, secret_file, url};

/// The settings under `notify`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyConfig {
    pub target: NotifyTarget,
    pub format: NotifyFormat,
    /// What matters less is told only where it ends something that was told.
    pub min_severity: Weight,
    pub bearer_token_file: Option<PathBuf>,
    /// Instead of the usual authorities.
    pub ca_file: Option<PathBuf>,
}

/// Where the webhook is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyTarget {
    Url(String),
    /// A file with the URL, which is a secret at Slack and others.
    File(PathBuf),
}

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NotifyFormat {
    /// The events as in the log on disk, with their texts.
    #[default]
    Json,
    /// `{"text": …}`: Slack, Mattermost, Rocket.Chat.
    Slack,
    /// Plain text with ntfy's headers.
    Ntfy,
}

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    Info,
    Warn,
    Error,
}

impl Weight {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// `None` without a place to send to; the other keys make no sense then.
pub(super) fn read_notify(section: &mut Section<'_>, dir: &Path) -> Option<NotifyConfig> {
    let formats = [
        ("json", NotifyFormat::Json),
        ("slack", NotifyFormat::Slack),
        ("ntfy", NotifyFormat::Ntfy),
    ];
    let weights = Weight::ALL.map(|weight| (weight.name(), weight));
    let told = section.has("url") || section.has("url_file");
    let url = section.nullable("url", url);
    let url_file = section.nullable("url_file", secret_file(dir));
    if url.is_some() && url_file.is_some() {
        let problem = "can't be combined with url";
        section.wrong("url_file", Wrong::new(problem, "one of the two"));
    }
    let format = section.take("format", choice(&formats)).unwrap_or_default();
    let min_severity = section.take("min_severity", choice(&weights));
    let min_severity = min_severity.unwrap_or(Weight::Warn);
    let bearer_token_file = section.nullable("bearer_token_file", secret_file(dir));
    let ca_file = section.nullable("ca_file", path(dir));
    if !told {
        let stray = [
            ("format", format != NotifyFormat::default()),
            ("min_severity", min_severity != Weight::Warn),
            ("bearer_token_file", bearer_token_file.is_some()),
            ("ca_file", ca_file.is_some()),
        ];
        for (key, _) in stray.iter().filter(|(_, given)| *given) {
            let problem = "is of no use without url or url_file";
            section.wrong(key, Wrong::new(problem, "it with one of them beside it"));
        }
        return None;
    }
    let target = url.map(NotifyTarget::Url);
    Some(NotifyConfig {
        target: target.or(url_file.map(NotifyTarget::File))?,
        format,
        min_severity,
        bearer_token_file,
        ca_file,
    })
}
