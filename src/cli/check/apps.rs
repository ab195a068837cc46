//! Applications: the environment file is as it should be, the HTTP interface answers.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use crate::config::{AppConfig, EnvFileConfig, HttpConfig};
use crate::files::{self, NotAFile};

use super::Finding;

const CHECK: &str = "app";

/// For the disk that an environment file is on.
const PATIENCE: Duration = Duration::from_secs(5);

const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn all(app: &AppConfig) -> Vec<Finding> {
    let env_file = app.env_file.as_ref().map(|file| env_file(&app.name, file));
    let http = app.http.as_ref().map(|http| reachable(&app.name, http));
    env_file.into_iter().chain(http).collect()
}

fn env_file(app: &str, file: &EnvFileConfig) -> Finding {
    let path = file.path.display();
    let fail = |detail, remedy| Finding::fail(CHECK, format!("{app}: {detail}"), remedy);
    let elsewhere = "correct env_file.path: the guard never makes that file";
    let its = file.path.clone();
    let text = files::patiently(&file.path, PATIENCE, move || {
        let (file, _) = files::opened(OpenOptions::new().read(true).write(true), &its)?;
        files::text(files::whole(file, files::MAX_BYTES)?)
    });
    let key = &file.key;
    match text.flatten() {
        Err(error) if NotAFile::is_why(&error) || error.kind() == ErrorKind::NotFound => {
            fail(format!("{path}: {error}"), elsewhere)
        }
        Err(error) => fail(
            format!("{path} can't be read and written ({error})"),
            "let the guard's user write to it",
        ),
        Ok(text) if assigns(&text, key) => {
            Finding::ok(CHECK, format!("{app}: {key} in {path} can be set"))
        }
        Ok(_) => Finding::warn(
            CHECK,
            format!("{app}: {path} doesn't set {key}"),
            "correct env_file.key, or add the line; the guard would add it when it throttles",
        ),
    }
}

fn assigns(text: &str, key: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    })
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
    let config = Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .proxy(None);
    let answer = config.build().new_agent().get(url).call();
    answer.map(|_| ()).map_err(|error| error.to_string())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_longer_key_or_a_comment_is_not_the_key() {
        assert!(assigns("A=1\nexport  SIZE = 4\n", "SIZE"));
        assert!(!assigns("# SIZE=4\nSIZE_MAX=4\nMY_SIZE=4\n", "SIZE"));
    }
}
