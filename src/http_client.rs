//! The HTTP client of every request that this program makes: to applications, to Alertmanagers and,
//! on the command line, to a running guard. It goes where the configuration says: no redirect, and no
//! proxy from the environment, which would see the credentials.
//!
//! At the root of `src`, because folders on three floors use it and none of them owns it.

use std::path::Path;
use std::time::Duration;

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::typestate::AgentScope;

use crate::disk::ca_file::{self, TrustError};

/// `timeout`: for one request, from the look-up of the name to the last byte. A status other than
/// success is an answer, not an error.
pub(crate) fn config(timeout: Duration) -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("thermal-guard/", env!("CARGO_PKG_VERSION")))
}

/// Trusts the authorities in `ca_file` alone, if there is one.
pub(crate) fn trusting(
    config: ConfigBuilder<AgentScope>,
    ca_file: Option<&Path>,
) -> Result<ConfigBuilder<AgentScope>, TrustError> {
    Ok(match ca_file {
        Some(path) => config.tls_config(ca_file::only(path)?),
        None => config,
    })
}

/// Nobody here knows the host's name. The system's look-up has no error of its own in std, only a text.
pub(crate) fn is_unknown_name(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound => true,
        ureq::Error::Io(error) => error
            .to_string()
            .starts_with("failed to lookup address information"),
        _ => false,
    }
}

/// The host of a URL.
pub(crate) fn host(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    host.unwrap_or_default().to_owned()
}

/// Whom a URL leads to, for people: scheme, host and port. What follows may be a secret.
pub(crate) fn shown(url: &str) -> String {
    let shown = url.parse::<Uri>().ok().and_then(|uri| {
        let more = match uri.path_and_query().map_or("/", |rest| rest.as_str()) {
            "/" => "/",
            _ => "/…",
        };
        Some(origin(&uri)? + more)
    });
    shown.unwrap_or_else(|| "a URL".to_owned())
}

/// Scheme, host and port in one fixed form; IPv6 in brackets.
pub(crate) fn origin(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    let host = uri.host()?.to_ascii_lowercase();
    Some(format!("{scheme}://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_but_whom_it_leads_to() {
        for (url, to) in [
            ("http://h/hunter2?t=hunter2", "http://h:80/…"),
            ("http://u:hunter2@h:81/x", "http://h:81/…"),
            ("https://[::1]/", "https://[::1]:443/"),
            ("http://h?hunter2", "http://h:80/…"),
            ("hunter2 hunter2", "a URL"),
        ] {
            assert_eq!(shown(url), to);
        }
    }
}
