//! Applications that can slow themselves down, and how to tell them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use ureq::http::Uri;

use super::gpus::GpuSelection;
use super::section::Section;
use super::value::{Wrong, choice, host_part, label, path, secret_file, url, word};

/// Where the mode goes in an app's URL.
pub const MODE_PLACEHOLDER: &str = "{mode}";

/// One application. Has an environment file, an HTTP interface, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppConfig {
    /// Unique: the journal and the metrics know the app by it.
    pub name: String,
    /// The GPUs it runs on.
    pub gpus: GpuSelection,
    pub env_file: Option<EnvFileConfig>,
    pub http: Option<HttpConfig>,
}

/// One variable in a file that the app reads again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvFileConfig {
    pub path: PathBuf,
    pub key: String,
    pub normal: String,
    pub gradual: String,
    pub emergency: String,
}

/// A request that tells the app its mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// With [`MODE_PLACEHOLDER`], or the mode goes into the body.
    pub url: String,
    pub method: Method,
    pub modes: Modes,
    /// Holds the token that the app wants of who changes its mode.
    pub bearer_token_file: Option<PathBuf>,
    /// Must answer 2xx, once the app is told to go on, before a recovery counts as complete.
    pub health_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    Get,
    #[default]
    Post,
    Put,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// What the app calls its modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    pub normal: String,
    pub gradual: String,
    pub emergency: String,
}

/// All apps; names must be unique.
pub(crate) fn read_apps(root: &mut Section<'_>, dir: &Path) -> Vec<AppConfig> {
    let read = root.sections("apps", |app| read_app(app, dir));
    root.unique("apps", read, |app| &app.name)
}

/// `None`: something is missing, and reported.
fn read_app(app: &mut Section<'_>, dir: &Path) -> Option<AppConfig> {
    let name = app.required("name", label);
    let gpus = app.take("gpus", GpuSelection::parse).unwrap_or_default();
    let told = app.has("env_file") || app.has("http");
    if !told {
        app.wrong(
            "env_file",
            Wrong::new("is missing, and so is http", "at least one of them"),
        );
    }
    let env_file = app.optional("env_file", |section| read_env_file(section, dir));
    let http = app.optional("http", |section| read_http(section, dir));
    Some(AppConfig {
        name: name?,
        gpus,
        env_file: env_file.flatten(),
        http: http.flatten(),
    })
}

fn read_env_file(section: &mut Section<'_>, dir: &Path) -> Option<EnvFileConfig> {
    let path = section.required("path", path(dir));
    let key = section.required("key", env_key);
    let normal = section.required("normal", env_value);
    let gradual = section.required("gradual", env_value);
    let emergency = section.take("emergency", env_value);
    let emergency = emergency.or_else(|| gradual.clone());
    Some(EnvFileConfig {
        path: path?,
        key: key?,
        normal: normal?,
        gradual: gradual?,
        emergency: emergency?,
    })
}

fn read_http(section: &mut Section<'_>, dir: &Path) -> Option<HttpConfig> {
    let url = section.required("url", url_with_mode);
    let methods = [
        ("GET", Method::Get),
        ("POST", Method::Post),
        ("PUT", Method::Put),
    ];
    let method = section.take("method", choice(&methods)).unwrap_or_default();
    let modes = section.section("modes", |modes| Modes {
        normal: mode(modes, "normal"),
        gradual: mode(modes, "gradual"),
        emergency: mode(modes, "emergency"),
    });
    let bearer_token_file = section.nullable("bearer_token_file", secret_file(dir));
    let health_url = section.nullable("health_url", super::value::url);
    let url = url?;
    if method == Method::Get && !url.contains(MODE_PLACEHOLDER) {
        let problem = "has no {mode}, and a GET has no body to say it in";
        section.wrong("url", Wrong::new(problem, "a URL with {mode}, or POST"));
    }
    if let (Some(_), Some(health_url)) = (&bearer_token_file, &health_url)
        && origin(health_url) != origin(&url)
    {
        let problem = "is elsewhere than url, and would get the token of bearer_token_file, too";
        let accepted = "a URL with the scheme, host and port of url, or no bearer_token_file";
        section.wrong("health_url", Wrong::new(problem, accepted));
    }
    Some(HttpConfig {
        url,
        method,
        modes,
        bearer_token_file,
        health_url,
    })
}

/// Whom a URL leads to: scheme, host and port. The place of the mode is not in it.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.replace(MODE_PLACEHOLDER, "mode").parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// A mode is called what the guard calls it, unless the app has its own word.
fn mode(section: &mut Section<'_>, key: &'static str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let parse = word(64, allowed, "A-Z a-z 0-9 _ -");
    section.take(key, parse).unwrap_or_else(|| key.to_owned())
}

fn env_key(value: &Value) -> Result<String, Wrong> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let accepted = "A-Z a-z 0-9 _";
    let key = word(128, allowed, accepted)(value)?;
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Wrong::of(value, format!("{accepted}, no digit first")));
    }
    Ok(key)
}

/// What shells, systemd, Docker and dotenv libraries all read alike, quoted or not.
fn env_value(value: &Value) -> Result<String, Wrong> {
    let accepted =
        "a whole number, or at most 256 characters without quotes, $, \\, ` and newlines";
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '$' | '\\' | '`');
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::String(text) if text.len() <= 256 && text.chars().all(plain) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Err(Wrong::new(
            format!("{} and not in quotes", super::value::describe(value)),
            accepted,
        )),
        other => Err(Wrong::of(other, accepted)),
    }
}

/// The placeholder may stand in the path or the query, not in the host.
fn url_with_mode(value: &Value) -> Result<String, Wrong> {
    let Some(text) = value.as_str() else {
        return url(value);
    };
    url(&Value::from(text.replace(MODE_PLACEHOLDER, "mode")))?;
    if host_part(text).contains(['{', '}']) {
        return Err(Wrong::of(value, "{mode} only in the path or the query"));
    }
    Ok(text.to_owned())
}
