//! Applications: the environment file is usable, and the HTTP interface answers.

pub(crate) mod sandbox;

use std::fs::OpenOptions;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use http::Uri;

use crate::apps::envfile;
use crate::apps::envfile::Mounted;
use crate::config::{AppConfig, EnvFileConfig, HttpConfig};
use crate::disk;
use crate::http_client;

use crate::cli::check::finding::Finding;
use sandbox::Sandbox;

const CHECK: &str = "app";

/// How long the disk of an environment file may take.
const PATIENCE: Duration = Duration::from_secs(5);

const TIMEOUT: Duration = Duration::from_secs(2);

/// `sandbox`: the paths that the service can write, if known.
pub(crate) fn all(app: &AppConfig, sandbox: Option<&Sandbox>) -> Vec<Finding> {
    let file = app.env_file.as_ref();
    let mut findings = file.map_or_else(Vec::new, |file| env_file(&app.name, file, sandbox));
    findings.extend(app.http.as_ref().map(|http| reachable(&app.name, http)));
    findings
}

fn env_file(app: &str, file: &EnvFileConfig, sandbox: Option<&Sandbox>) -> Vec<Finding> {
    let (path, key) = (file.path.display(), &file.key);
    let fail = |detail: String, remedy: &str| {
        vec![Finding::fail(CHECK, format!("{app}: {detail}"), remedy)]
    };
    let its = file.clone();
    let looked = disk::patiently(&file.path, PATIENCE, move || {
        let writable = disk::opened(OpenOptions::new().read(true).write(true), &its.path);
        (envfile::look(&its), writable.err())
    });
    let (look, unwritable) = match looked {
        Ok((Ok(look), unwritable)) => (look, unwritable),
        Ok((Err(error), _)) => {
            return fail(error.to_string(), &envfile::remedy(&file.path, &error));
        }
        Err(error) => return fail(format!("{path}: {error}"), "see the disk that it is on"),
    };
    if let Some(error) = unwritable {
        let detail = format!("{path} can't be read and written ({error})");
        return fail(detail, "let the guard's user write to it");
    }
    let refused = sandbox.and_then(|sandbox| sandbox.refuses(&file.path));
    let set = if let Some((why, remedy)) = refused {
        let detail =
            format!("{app}: {key} in {path} can be set by this user, not by the service: {why}");
        Finding::warn(CHECK, detail, remedy)
    } else if look.assignments > 0 {
        Finding::ok(CHECK, format!("{app}: {key} in {path} can be set"))
    } else {
        Finding::warn(
            CHECK,
            format!("{app}: {path} doesn't set {key}"),
            "correct env_file.key, or add the line; the guard would add it when it throttles, and take it out again",
        )
    };
    let mounted = look.mounted.map(|mounted| alone(app, file, &mounted));
    std::iter::once(set).chain(mounted).collect()
}

/// A process that has mounted the file by itself doesn't see it replaced.
fn alone(app: &str, file: &EnvFileConfig, mounted: &Mounted) -> Finding {
    let (path, at) = (file.path.display(), mounted.at.display());
    let (pid, is_former) = (mounted.pid, mounted.is_former);
    let (sees, remedy) = if is_former {
        (
            "a former file of that name, and sees no change",
            "mount the directory instead, and restart that container",
        )
    } else {
        (
            "that file alone",
            "mount the directory instead: a guard that can't see the mount, as in the shipped unit, replaces the file unseen, and one that can writes it in place, where it may be met half written",
        )
    };
    let detail = format!("{app}: {path}: process {pid} has mounted, at {at}, {sees}");
    Finding::warn(CHECK, detail, remedy)
}

/// An app may well be started after the guard: not a failure.
fn reachable(app: &str, http: &HttpConfig) -> Finding {
    let (url, result) = match &http.health_url {
        Some(url) => (url, asks(url)),
        None => (&http.url, connects(&http.url)),
    };
    // A query may hold a key.
    let url = match url.split_once('?') {
        Some((url, _)) => format!("{url}?…"),
        None => url.clone(),
    };
    match result {
        Ok(()) => Finding::ok(CHECK, format!("{app}: {url} is reachable")),
        Err(error) => Finding::warn(
            CHECK,
            format!("{app}: {url} is not reachable ({error})"),
            "start the app, or correct its URL",
        ),
    }
}

fn asks(url: &str) -> Result<(), String> {
    let agent = http_client::config(TIMEOUT).build().new_agent();
    let answer = agent.get(url).call().map_err(|error| error.to_string())?;
    // As the guard judges it: an app that sends it elsewhere isn't well.
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(format!("it answers {}", answer.status().as_u16()))
    }
}

/// Nothing is sent: the URL would change the app's mode.
fn connects(url: &str) -> Result<(), String> {
    let uri: Uri = url
        .replace(crate::config::app::MODE_PLACEHOLDER, "normal")
        .parse()
        .map_err(|_| "no URL".to_owned())?;
    let default = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, uri.port_u16().unwrap_or(default)).to_socket_addrs();
    let mut error = "no such host".to_owned();
    for address in addresses.map_err(|error| error.to_string())? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(_) => return Ok(()),
            Err(refused) => error = refused.to_string(),
        }
    }
    Err(error)
}
