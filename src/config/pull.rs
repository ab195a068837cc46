//! Settings of the pull: the Alertmanagers, the interval and the credentials.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::disk::login::Login;

use super::tree::section::Section;
use super::tree::value::{
    Wrong, duration, list, list_or_none, or_auto, path, secret_file, text, url,
};

/// A cluster has three or five members.
const MAX_MEMBERS: usize = 8;

/// With a longer interval, leases would need more than their maximum length.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(5 * 60);

/// The settings of `alertmanager.url` and the keys beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullConfig {
    /// Base URLs: of one Alertmanager, or of each member of a cluster. Never empty.
    pub urls: Vec<String>,
    /// `None`: a third of `hook.lease`.
    pub interval: Option<Duration>,
    /// Matchers that Alertmanager lists alerts by.
    pub filter: Vec<String>,
    /// What Prometheus calls this node (`--node.name`), for the matchers. `None`: the host name.
    pub node: Option<String>,
    pub credential: Login,
    /// Instead of the usual authorities.
    pub ca_file: Option<PathBuf>,
}

/// `None` without a `url`; the other keys make no sense then.
pub(super) fn read_pull(
    section: &mut Section<'_>,
    lease: Duration,
    dir: &Path,
) -> Option<PullConfig> {
    let told = section.has("url");
    let urls = section.nullable("url", one_or_more);
    let interval = section.take("pull_interval", or_auto(duration(INTERVALS)));
    let interval = interval.flatten();
    let filter = section.nullable("filter", list_or_none(text));
    let filter = filter.unwrap_or_default();
    let credential = credential(section, dir);
    let ca_file = section.nullable("ca_file", path(dir));
    if !told {
        let stray = [
            ("pull_interval", interval.is_some()),
            ("filter", !filter.is_empty()),
            (
                "bearer_token_file",
                matches!(credential, Login::Bearer { .. }),
            ),
            ("basic_auth", matches!(credential, Login::Basic { .. })),
            ("ca_file", ca_file.is_some()),
        ];
        for (key, _) in stray.iter().filter(|(_, given)| *given) {
            section.wrong(
                key,
                Wrong::new("is of no use without url", "it with a url beside it"),
            );
        }
        return None;
    }
    if let Some(interval) = interval.filter(|interval| *interval * 2 > lease) {
        let shown = humantime::format_duration;
        let problem = format!(
            "{} is more than half of hook.lease, {}: leases would lapse between two pulls",
            shown(interval),
            shown(lease)
        );
        section.wrong("pull_interval", Wrong::new(problem, "auto, or less"));
    }
    Some(PullConfig {
        urls: urls?,
        interval,
        filter,
        // A flag's: one file serves many nodes.
        node: None,
        credential,
        ca_file,
    })
}

fn credential(section: &mut Section<'_>, dir: &Path) -> Login {
    let token_file = section.nullable("bearer_token_file", secret_file(dir));
    let basic = section.optional("basic_auth", |basic| {
        let username = basic.required("username", username);
        let password_file = basic.required("password_file", secret_file(dir));
        username.zip(password_file)
    });
    match (token_file, basic.flatten()) {
        (Some(_), Some(_)) => {
            let problem = "can't be combined with bearer_token_file";
            section.wrong("basic_auth", Wrong::new(problem, "one of the two"));
            Login::None
        }
        (Some(token_file), None) => Login::Bearer { token_file },
        (None, Some((username, password_file))) => Login::Basic {
            username,
            password_file,
        },
        (None, None) => Login::None,
    }
}

/// A colon would end the name in the header.
fn username(value: &Value) -> Result<String, Wrong> {
    match text(value) {
        Ok(name) if !name.contains(':') => Ok(name),
        _ => Err(Wrong::of(value, "a name without a colon")),
    }
}

fn one_or_more(value: &Value) -> Result<Vec<String>, Wrong> {
    let urls = match value {
        Value::Array(_) => list(base_url)(value)?,
        one => vec![base_url(one)?],
    };
    let repeated = |(n, url): (usize, &String)| urls[..n].contains(url);
    if urls.len() > MAX_MEMBERS || urls.iter().enumerate().any(repeated) {
        let accepted = format!("the members of one cluster, each once, at most {MAX_MEMBERS}");
        return Err(Wrong::of(value, accepted));
    }
    Ok(urls)
}

/// The API's path is added to it.
fn base_url(value: &Value) -> Result<String, Wrong> {
    let url = url(value)?;
    if url.contains(['?', '#']) || url.contains("/api/v2") {
        let accepted = "the base URL, such as http://alertmanager:9093";
        return Err(Wrong::of(value, accepted));
    }
    Ok(url)
}
