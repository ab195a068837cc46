//! Asks one Alertmanager. Blocks, bounded in time and size. Errors say what went wrong, and never repeat
//! the answer.

use std::fs;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::alerts::alert::{Alert, since_epoch};
use crate::alerts::heard;
use crate::alerts::target::node::Node;
use crate::config::{Login, PullConfig};
use crate::disk::ca_file::TrustError;
use crate::http_client;

use super::error::{PullError, TIMEOUT};
use super::listing::Listing;

/// Bytes of an answer; about 4000 alerts of the usual size.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// Stands for this machine's host name in the configuration's matchers.
const HOSTNAME_PLACEHOLDER: &str = "{hostname}";

/// Stands for what Prometheus calls this node: in a pod, the host name is the pod's.
const NODE_PLACEHOLDER: &str = "{node}";

/// Why the client can't be made.
#[derive(Debug, Error)]
pub enum SetupError {
    #[error("alertmanager.ca_file {0}")]
    Trust(#[from] TrustError),
    #[error(
        "alertmanager.filter has {0}, and this machine's name isn't of letters, digits, `.`, `-` and `_` alone"
    )]
    Name(&'static str),
}

/// One Alertmanager, and how to ask it.
pub struct Client {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    filter: Vec<String>,
    credential: Login,
}

/// How many alerts an Alertmanager lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    pub active: usize,
    pub suppressed: usize,
    /// Active heartbeats, for any node.
    pub heartbeats: usize,
    /// Heartbeats for this node.
    pub own: usize,
    /// Another node that a heartbeat is for, as its sender wrote it.
    pub another: Option<String>,
}

impl Client {
    /// One for each configured URL.
    pub fn all(config: &PullConfig) -> Result<Vec<Self>, SetupError> {
        let agent = http_client::config(TIMEOUT);
        // The credential is only for this Alertmanager, not for another that it names, nor a proxy.
        let agent = http_client::trusting(agent, config.ca_file.as_deref())?;
        let agent = agent.build().new_agent();
        let filter = matchers(&config.filter, config.node.as_deref())?;
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

    /// The matchers of the configuration, as Alertmanager gets them.
    pub(crate) fn filter(&self) -> &[String] {
        &self.filter
    }

    /// Counts the listed alerts.
    pub fn census(&self) -> Result<Census, PullError> {
        self.census_for(&Node::default())
    }

    /// For `check`.
    pub fn census_for(&self, node: &Node) -> Result<Census, PullError> {
        let listing = self.alerts(true)?;
        let beats = |alert: &&Alert| alert.labels.get("guard_action") == Some("heartbeat");
        let is_own = |alert: &&Alert| node.may_be_meant(&alert.labels);
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

    /// Suppressed alerts as well: a silenced alert is not a resolved one.
    pub(crate) fn alerts(&self, labelled_only: bool) -> Result<Listing, PullError> {
        let mut filter: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        if labelled_only {
            filter.push("guard_action=~\".+\"");
        }
        let (body, _) = self.read("/api/v2/alerts", &filter)?;
        Listing::parse(&body)
    }

    /// How long it has run, by its own clock alone. `None`: its answer doesn't tell.
    pub(crate) fn age(&self) -> Result<Option<Duration>, PullError> {
        let (body, now) = self.read("/api/v2/status", &[])?;
        let status: AlertmanagerStatus =
            serde_json::from_slice(&body).map_err(|_| PullError::Malformed("the status"))?;
        let started = status.uptime.as_deref().and_then(since_epoch);
        Ok(now
            .zip(started)
            .and_then(|(now, started)| now.checked_sub(started)))
    }

    /// The body, and the time by Alertmanager's clock.
    fn read(&self, path: &str, filter: &[&str]) -> Result<(Vec<u8>, Option<Duration>), PullError> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for matcher in filter {
            request = request.query("filter", matcher);
        }
        // Read for each request, so that a rotation needs no restart.
        let authorization = self.credential.header();
        let unread = |(path, source)| PullError::Credential { path, source };
        if let Some(authorization) = authorization.map_err(unread)? {
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

/// The part of `/api/v2/status` that is read.
#[derive(Deserialize)]
struct AlertmanagerStatus {
    /// In spite of its name, the time of the start.
    uptime: Option<String>,
}

/// Puts this machine's names into the matchers, so that one configuration fits all nodes.
fn matchers(filter: &[String], node: Option<&str>) -> Result<Vec<String>, SetupError> {
    let own = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let own = own.trim();
    let names = [
        (HOSTNAME_PLACEHOLDER, own),
        (NODE_PLACEHOLDER, node.unwrap_or(own)),
    ];
    let matcher = |matcher: &String| {
        names
            .iter()
            .try_fold(matcher.clone(), |matcher, (placeholder, name)| {
                if matcher.contains(placeholder) && !is_plain(name) {
                    return Err(SetupError::Name(placeholder));
                }
                Ok(matcher.replace(placeholder, name))
            })
    };
    filter.iter().map(matcher).collect()
}

/// It is put between a matcher's quotes, and may be part of an expression there.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(filter: &str, node: Option<&str>) -> Result<Vec<String>, SetupError> {
        matchers(&[filter.to_owned()], node)
    }

    #[test]
    fn a_filter_names_the_node_as_prometheus_does() {
        let named = with("instance=\"{node}\"", Some("gpu-1.example")).unwrap();
        assert_eq!(named, ["instance=\"gpu-1.example\""]);
        let by_host = with("instance=\"{hostname}\"", Some("gpu-1.example")).unwrap();
        assert_ne!(by_host, named, "the host name stays itself");
        assert_eq!(with("instance=\"{node}\"", None).unwrap(), by_host);
    }

    #[test]
    fn a_name_that_would_end_the_matcher_is_refused() {
        for name in ["", "gpu 1", "a\"b", "a|b", "a\\b"] {
            let refused = with("instance=\"{node}\"", Some(name)).unwrap_err();
            assert!(refused.to_string().contains("{node}"), "{refused}");
            assert!(with("severity=\"none\"", Some(name)).is_ok(), "{name}");
        }
    }
}
