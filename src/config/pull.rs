//! Where alerts are pulled from, how often, and by which right.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::section::Section;
use super::value::{Wrong, duration, list, list_or_none, or_auto, path, secret_file, text, url};

/// A cluster has three or five members.
const MAX_MEMBERS: usize = 8;

/// Further apart than this, leases would have to be longer than they can be.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(5 * 60);

/// What `alertmanager.url` and the keys beside it say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullConfig {
    /// Base URLs: of one Alertmanager, or of each member of a cluster. Never empty.
    pub urls: Vec<String>,
    /// `None`: a third of `hook.lease`.
    pub interval: Option<Duration>,
    /// Matchers that Alertmanager lists alerts by.
    pub filter: Vec<String>,
    pub credential: PullCredential,
    /// Instead of the usual authorities.
    pub ca_file: Option<PathBuf>,
}

/// Who the guard is to Alertmanager. Secrets stay in their files.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum PullCredential {
    #[default]
    None,
    Bearer {
        token_file: PathBuf,
    },
    Basic {
        username: String,
        password_file: PathBuf,
    },
}

/// `None` without a `url`; then nothing else makes sense, either.
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
                matches!(credential, PullCredential::Bearer { .. }),
            ),
            (
                "basic_auth",
                matches!(credential, PullCredential::Basic { .. }),
            ),
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
        credential,
        ca_file,
    })
}

fn credential(section: &mut Section<'_>, dir: &Path) -> PullCredential {
    let token_file = section.nullable("bearer_token_file", secret_file(dir));
    let basic = section.optional("basic_auth", |basic| {
        let username = basic.required("username", username);
        let password_file = basic.required("password_file", secret_file(dir));
        username.zip(password_file)
    });
    match (token_file, basic.flatten()) {
        (Some(_), Some(_)) => {
            let problem = "stands beside bearer_token_file";
            section.wrong("basic_auth", Wrong::new(problem, "one of the two"));
            PullCredential::None
        }
        (Some(token_file), None) => PullCredential::Bearer { token_file },
        (None, Some((username, password_file))) => PullCredential::Basic {
            username,
            password_file,
        },
        (None, None) => PullCredential::None,
    }
}

/// The colon ends it on the wire.
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
