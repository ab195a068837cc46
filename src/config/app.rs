//! Applications that can slow themselves down, and how to tell them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::Uri;
use http::uri::PathAndQuery;
use serde_json::Value;

use super::gpus::GpuSelection;
use super::tree::section::Section;
use super::tree::value::{Wrong, choice, host_part, label, path, secret_file, url, word};

/// Placeholder of the mode in an app's URL.
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

/// One variable in a file that the app reads repeatedly.
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
    /// The JSON to send, by the app's own names. Empty: the guard's own body, `{"mode": …}`.
    pub bodies: BTreeMap<String, String>,
    /// File with the token that the app requires for a mode change.
    pub bearer_token_file: Option<PathBuf>,
    /// Must answer 2xx after the app is back to normal before a recovery counts as complete.
    pub health_url: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Method {
    Get,
    #[default]
    Post,
    Put,
    Patch,
}

impl Method {
    pub const ALL: [Self; 4] = [Self::Get, Self::Post, Self::Put, Self::Patch];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }
}

/// The app's own names of its modes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modes {
    pub normal: String,
    pub gradual: String,
    pub emergency: String,
}

/// All apps; names must be unique.
pub(crate) fn read_apps(root: &mut Section<'_>, dir: &Path) -> Vec<AppConfig> {
    let read = root.sections("apps", |app| read_app(app, dir));
    refuse_two_languages(root, &read);
    root.unique("apps", read, |app| &app.name)
}

/// At one URL the guard speaks to one application. A second with bodies of its own would never be told them.
fn refuse_two_languages(root: &Section<'_>, apps: &[Option<AppConfig>]) {
    let spoken = |app: &AppConfig| app.http.clone().map(|http| (app.name.clone(), http));
    let mut earlier: Vec<(String, HttpConfig)> = Vec::new();
    for (n, app) in apps.iter().enumerate() {
        let Some((name, own)) = app.as_ref().and_then(spoken) else {
            continue;
        };
        let at_it = |other: &&(String, HttpConfig)| plain_url(&other.1.url) == plain_url(&own.url);
        if let Some((other, its)) = earlier.iter().find(at_it) {
            let differs = [
                ("bodies", its.bodies != own.bodies),
                ("method", its.method != own.method),
            ];
            for (key, _) in differs.iter().filter(|(_, differs)| *differs) {
                let problem = format!("differs from that of {other}, which has the same URL");
                let accepted = "a URL of its own, or one app with the GPUs of both";
                root.wrong(
                    &format!("apps[{n}].http.{key}"),
                    Wrong::new(problem, accepted),
                );
            }
        }
        earlier.push((name, own));
    }
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
    let methods = Method::ALL.map(|method| (method.name(), method));
    let method = section.take("method", choice(&methods)).unwrap_or_default();
    let modes = section.section("modes", |modes| Modes {
        normal: mode(modes, "normal"),
        gradual: mode(modes, "gradual"),
        emergency: mode(modes, "emergency"),
    });
    let bodies = section.optional("bodies", |bodies| read_bodies(bodies, &modes));
    let bodies = bodies.unwrap_or_default();
    let bearer_token_file = section.nullable("bearer_token_file", secret_file(dir));
    let health_url = section.nullable("health_url", super::tree::value::url);
    if method == Method::Get && !bodies.is_empty() {
        let problem = "is of no use: a GET has no body";
        section.wrong("bodies", Wrong::new(problem, "POST, PUT or PATCH"));
    }
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
        bodies,
        bearer_token_file,
        health_url,
    })
}

/// A body for each mode; emergency has gradual's unless it has its own.
fn read_bodies(section: &mut Section<'_>, modes: &Modes) -> BTreeMap<String, String> {
    let normal = section.required("normal", json_body);
    let gradual = section.required("gradual", json_body);
    let emergency = section.take("emergency", json_body);
    let emergency = emergency.or_else(|| gradual.clone());
    let mut bodies = BTreeMap::new();
    for (key, name, body) in [
        ("normal", &modes.normal, normal),
        ("gradual", &modes.gradual, gradual),
        ("emergency", &modes.emergency, emergency),
    ] {
        let Some(body) = body else { continue };
        let before = bodies.insert(name.clone(), body.clone());
        if before.is_some_and(|before| before != body) {
            let problem =
                format!("differs from the body of another mode that is called {name}, too");
            section.wrong(key, Wrong::new(problem, "a name of its own in modes"));
        }
    }
    bodies
}

/// As it is sent.
fn json_body(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::Object(_) => Ok(value.to_string()),
        other => Err(Wrong::of(other, "a mapping, sent as JSON")),
    }
}

/// One form for all spellings of an app's URL: the same form is the same application.
pub(crate) fn plain_url(url: &str) -> String {
    let plain = parsed(url)
        .zip(origin(url))
        .map(|(uri, (scheme, host, port))| {
            let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str);
            format!("{scheme}://{host}:{port}{rest}")
        });
    plain.unwrap_or_else(|| url.to_owned())
}

/// With a stand-in for the mode, whose braces no URL may have.
fn parsed(url: &str) -> Option<Uri> {
    url.replace(MODE_PLACEHOLDER, "-mode-").parse().ok()
}

/// Scheme, host and port of a URL. The placeholder of the mode isn't part of it.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri = parsed(url)?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// A mode has the guard's name unless the configuration gives another.
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

/// Text that shells, systemd, Docker and dotenv libraries read alike, quoted or not.
fn env_value(value: &Value) -> Result<String, Wrong> {
    let accepted =
        "a whole number, or at most 256 characters without quotes, $, \\, ` and newlines";
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\'' | '$' | '\\' | '`');
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::String(text) if text.len() <= 256 && text.chars().all(plain) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Err(Wrong::new(
            format!("{} and not in quotes", super::tree::value::describe(value)),
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
