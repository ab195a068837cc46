//! `--web.config.file`, in the format of Prometheus's exporter-toolkit, so that one file serves all
//! exporters of a node. It is checked as strictly as the guard's own configuration: all mistakes are
//! reported at once. Options that the toolkit (Go) has and rustls hasn't are refused with a message,
//! never ignored silently.

mod tls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use crate::config::tree::section::{self, Section};
use crate::config::tree::value::{Wrong, boolean, describe, duration, integer};
use crate::config::{ConfigErrors, LoadError, lines, yaml};

pub use crate::web::access::webconfig::tls::{ClientAuth, Pem, TlsSettings};

/// A comparison of cost 16 takes about four seconds. With a higher cost, a wrong password would keep a
/// core busy for too long.
const MAX_BCRYPT_COST: u32 = 16;

/// The file, valid. [`WebConfig::default`] is an empty one: plain HTTP, open to everybody.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WebConfig {
    /// `None`: plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Sent with every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// User name to bcrypt hash; empty: no password is needed.
    pub users: BTreeMap<String, String>,
    pub rate_limit: Option<RateLimit>,
    /// Options that are applied, but not exactly as written. For the log and `check`.
    pub warnings: Vec<String>,
}

/// One request in `interval`, and up to `burst` at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub interval: Duration,
    pub burst: u32,
}

impl WebConfig {
    /// Reads and checks a file. Relative paths in it count from its directory.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let text = yaml::read(path).map_err(|source| LoadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        Self::from_text(&text, path)
    }

    /// From the text of the file at `path`.
    pub(crate) fn from_text(text: &str, path: &Path) -> Result<Self, LoadError> {
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::from_yaml_in(text, dir).map_err(|mut errors| {
            lines::point_out(text, &mut errors);
            LoadError::Invalid {
                path: path.to_owned(),
                errors,
            }
        })
    }

    /// Relative paths count from `dir`.
    pub fn from_yaml_in(text: &str, dir: &Path) -> Result<Self, ConfigErrors> {
        let read = yaml::parse(text).and_then(|map| section::read_all(map, |root| read(root, dir)));
        read.map_err(ConfigErrors::discreet)
    }
}

fn read(root: &mut Section<'_>, dir: &Path) -> WebConfig {
    let mut warnings = Vec::new();
    let tls = root.optional("tls_server_config", |section| {
        tls::read(section, dir, &mut warnings)
    });
    let headers = root.section("http_server_config", |section| {
        // HTTP/2 gains nothing here, and less code is exposed to strangers.
        if section.take("http2", boolean) == Some(true) {
            let warning = "http_server_config.http2: only HTTP/1.1 is spoken";
            warnings.push(warning.to_owned());
        }
        section.section("headers", headers)
    });
    WebConfig {
        tls: tls.flatten(),
        headers,
        users: root.entries("basic_auth_users", password_hash),
        rate_limit: root.optional("rate_limit", rate_limit).flatten(),
        warnings,
    }
}

/// The headers that the toolkit accepts. Others could change the meaning of an endpoint.
fn headers(section: &mut Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let mut header = |key, name: HeaderName, words: &'static [&'static str]| {
        let parse = |value: &Value| header_value(value, words);
        if let Some(value) = section.nullable(key, parse).flatten() {
            headers.push((name, value));
        }
    };
    header(
        "Content-Security-Policy",
        header::CONTENT_SECURITY_POLICY,
        &[],
    );
    header(
        "X-Frame-Options",
        header::X_FRAME_OPTIONS,
        &["deny", "sameorigin"],
    );
    header(
        "X-Content-Type-Options",
        header::X_CONTENT_TYPE_OPTIONS,
        &["nosniff"],
    );
    header("X-XSS-Protection", header::X_XSS_PROTECTION, &[]);
    header(
        "Strict-Transport-Security",
        header::STRICT_TRANSPORT_SECURITY,
        &[],
    );
    headers
}

/// `None`: empty, and not sent.
fn header_value(value: &Value, words: &[&str]) -> Result<Option<HeaderValue>, Wrong> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return Err(Wrong::of(other, "text")),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if !words.is_empty() && !words.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Err(Wrong::of(value, words.join(", ")));
    }
    let value = HeaderValue::from_str(&text);
    let value = value.map_err(|_| Wrong::new("is no header value", "visible characters"))?;
    Ok(Some(value))
}

/// Errors never repeat the hash: they end up in logs.
fn password_hash(user: &str, value: &Value) -> Result<String, Wrong> {
    let accepted = format!("a bcrypt hash ($2y$10$...) of cost 4 to {MAX_BCRYPT_COST}");
    if user.is_empty() || user.contains(':') {
        return Err(Wrong::new("is no user name", "a name without colon"));
    }
    let Some(hash) = value.as_str() else {
        return Err(Wrong::new("isn't text", accepted));
    };
    let parts = bcrypt::HashParts::from_str(hash)
        .ok()
        // Checks everything that `verify` will read, the salt too.
        .filter(|_| bcrypt::verify("", &cheap(hash)).is_ok())
        .ok_or_else(|| Wrong::new("isn't a bcrypt hash", accepted.clone()))?;
    let cost = parts.get_cost();
    if (4..=MAX_BCRYPT_COST).contains(&cost) {
        Ok(hash.to_owned())
    } else {
        Err(Wrong::new(format!("has cost {cost}"), accepted))
    }
}

/// The same hash with the lowest cost, to check quickly whether it is well-formed.
fn cheap(hash: &str) -> String {
    let (version, rest) = hash.split_at_checked(4).unwrap_or_default();
    format!("{version}04{}", rest.get(2..).unwrap_or_default())
}

/// `None`: an interval of zero switches it off.
fn rate_limit(section: &mut Section<'_>) -> Option<RateLimit> {
    let interval = section.required("interval", |value| match value {
        Value::Number(number) if number.as_u64() == Some(0) => Ok(Duration::ZERO),
        other => duration(Duration::ZERO..=Duration::from_secs(3600))(other),
    });
    let burst = section.take("burst", integer(0..=1_000_000));
    let interval = interval.filter(|interval| !interval.is_zero())?;
    if burst == Some(0) {
        let problem = format!("{}, which lets nothing through", describe(&Value::from(0)));
        section.wrong("burst", Wrong::new(problem, "1 to 1000000"));
    }
    Some(RateLimit {
        interval,
        burst: burst.unwrap_or(1),
    })
}
