//! Asking one Alertmanager. Blocks; bounded in time and size. It goes where the configuration says:
//! no redirect, no proxy from the environment. Says what went wrong, never what was answered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::config::{PullConfig, PullCredential};
use crate::guard::secret;
use crate::web::alert::{Alert, since_epoch};
use crate::web::heard;
use crate::web::node::{Node, Whose};
use crate::web::trust::{self, TrustError};

use super::listing::Listing;

/// Of one request, from the look-up of the name to the last byte. An Alertmanager with 1000 alerts
/// answers in 20 ms.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an answer; some 4000 alerts of the usual size.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Where the configuration's matchers have this machine's name.
const HOSTNAME_PLACEHOLDER: &str = "{hostname}";

/// Why a pull came to nothing. All are tried again.
#[derive(Debug, Error)]
pub enum PullError {
    #[error("credential {}: {source}", path.display())]
    Credential { path: PathBuf, source: io::Error },
    #[error("no answer within {TIMEOUT:?}")]
    Timeout,
    #[error("{0}")]
    Unreachable(Box<ureq::Error>),
    #[error("answered {0}: check the credential under `alertmanager`")]
    Refused(u16),
    /// 400 is what Alertmanager says to a matcher that it can't read.
    #[error("answered 400: check `alertmanager.filter`")]
    BadFilter,
    #[error("answered {0}: `alertmanager.url` must be the base URL of an Alertmanager")]
    Status(u16),
    #[error("the answer is too large: ask for this node's alerts with `alertmanager.filter`")]
    TooLarge,
    #[error("not an Alertmanager's answer: {0}")]
    Malformed(&'static str),
}

impl PullError {
    pub const NAMES: [&str; 7] = [
        "credential",
        "timeout",
        "unreachable",
        "refused",
        "status",
        "too_large",
        "malformed",
    ];

    /// A word for the metrics, one of [`Self::NAMES`].
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Credential { .. } => "credential",
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Refused(_) => "refused",
            Self::BadFilter | Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl From<ureq::Error> for PullError {
    fn from(error: ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout,
            ureq::Error::BodyExceedsLimit(_) => Self::TooLarge,
            error => Self::Unreachable(Box::new(error)),
        }
    }
}

/// Why there can't be a client at all.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("alertmanager.ca_file {0}")]
    Trust(#[from] TrustError),
    #[error(
        "alertmanager.filter has {HOSTNAME_PLACEHOLDER}, and this machine has no plain host name"
    )]
    Hostname,
}

/// One Alertmanager, and how to ask it.
pub struct Client {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    filter: Vec<String>,
    credential: PullCredential,
}

/// How many alerts an Alertmanager lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    pub active: usize,
    pub suppressed: usize,
    /// Active heartbeats, of whatever node.
    pub heartbeats: usize,
    /// Those for this node.
    pub own: usize,
    /// The node that one of the others is for, as its sender wrote it.
    pub another: Option<String>,
}

impl Client {
    /// One for each configured URL.
    pub fn all(config: &PullConfig) -> Result<Vec<Self>, SetupError> {
        let agent = agent(config.ca_file.as_deref())?;
        let filter = matchers(&config.filter)?;
        let client = |url: &String| Self {
            agent: agent.clone(),
            url: url.trim_end_matches('/').to_owned(),
            filter: filter.clone(),
            credential: config.credential.clone(),
        };
        Ok(config.urls.iter().map(client).collect())
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// What is listed, and how much of it for nobody in particular.
    pub fn census(&self) -> Result<Census, PullError> {
        self.census_for(&Node::default())
    }

    /// For the pre-flight.
    pub fn census_for(&self, node: &Node) -> Result<Census, PullError> {
        let listing = self.alerts(true)?;
        let beats = |alert: &&Alert| alert.labels.get("guard_action") == Some("heartbeat");
        let is_own = |alert: &&Alert| node.judge(&alert.labels) != Whose::AnotherNodes;
        let heartbeats = listing.active.iter().filter(beats);
        let (own, others): (Vec<_>, Vec<_>) = heartbeats.partition(is_own);
        let another = others.first();
        Ok(Census {
            active: listing.active.len(),
            suppressed: listing.suppressed.len(),
            heartbeats: own.len() + others.len(),
            own: own.len(),
            another: another.and_then(|alert| heard::spoken(&alert.labels)),
        })
    }

    /// Suppressed ones as well: a silenced alert is not a resolved one.
    pub(super) fn alerts(&self, labelled_only: bool) -> Result<Listing, PullError> {
        let mut filter: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        if labelled_only {
            filter.push("guard_action=~\".+\"");
        }
        let (body, _) = self.read("/api/v2/alerts", &filter)?;
        Listing::parse(&body)
    }

    /// How long it has run, by its own clock alone. `None`: it doesn't say.
    pub(super) fn age(&self) -> Result<Option<Duration>, PullError> {
        let (body, now) = self.read("/api/v2/status", &[])?;
        let about: About =
            serde_json::from_slice(&body).map_err(|_| PullError::Malformed("the status"))?;
        let started = about.uptime.as_deref().and_then(since_epoch);
        Ok(now
            .zip(started)
            .and_then(|(now, started)| now.checked_sub(started)))
    }

    /// The body, and the sender's time.
    fn read(&self, path: &str, filter: &[&str]) -> Result<(Vec<u8>, Option<Duration>), PullError> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for matcher in filter {
            request = request.query("filter", matcher);
        }
        if let Some(authorization) = authorization(&self.credential)? {
            request = request.header("Authorization", authorization);
        }
        let mut response = request.header("Accept", "application/json").call()?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(PullError::Refused(response.status().as_u16()));
            }
            StatusCode::BAD_REQUEST if !self.filter.is_empty() => return Err(PullError::BadFilter),
            status => return Err(PullError::Status(status.as_u16())),
        }
        let date = response.headers().get("Date");
        let date = date.and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        let date = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
        let body = response.body_mut().with_config().limit(MAX_BYTES);
        Ok((body.read_to_vec()?, date))
    }
}

fn agent(ca_file: Option<&Path>) -> Result<Agent, TrustError> {
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        // The credential is Alertmanager's alone, not somebody's it names, nor a proxy's.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("thermal-guard/", env!("CARGO_PKG_VERSION")));
    let config = match ca_file {
        Some(path) => config.tls_config(trust::only(path)?),
        None => config,
    };
    Ok(config.build().new_agent())
}

/// Read for each request, so that a rotation needs no restart.
fn authorization(credential: &PullCredential) -> Result<Option<String>, PullError> {
    match credential {
        PullCredential::None => Ok(None),
        PullCredential::Bearer { token_file } => {
            Ok(Some(format!("Bearer {}", one_line(token_file)?)))
        }
        PullCredential::Basic {
            username,
            password_file,
        } => {
            let pair = format!("{username}:{}", one_line(password_file)?);
            Ok(Some(format!("Basic {}", STANDARD.encode(pair))))
        }
    }
}

fn one_line(path: &Path) -> Result<String, PullError> {
    secret::line(path).map_err(|source| PullError::Credential {
        path: path.to_owned(),
        source,
    })
}

/// Of `/api/v2/status` nothing else is kept.
#[derive(Deserialize)]
struct About {
    /// It is called so, and is the moment of the start.
    uptime: Option<String>,
}

/// With this machine's name in its place, so that one configuration fits all nodes.
fn matchers(filter: &[String]) -> Result<Vec<String>, SetupError> {
    let own = || fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let matcher = |matcher: &String| {
        if !matcher.contains(HOSTNAME_PLACEHOLDER) {
            return Ok(matcher.clone());
        }
        let own = own();
        let name = own.trim();
        // It goes into a matcher's quotes.
        if name.is_empty() || !name.chars().all(plain) {
            return Err(SetupError::Hostname);
        }
        Ok(matcher.replace(HOSTNAME_PLACEHOLDER, name))
    };
    filter.iter().map(matcher).collect()
}
