//! Talks to a running guard: one request, one answer, and errors with a remedy.

pub(crate) mod lease;
pub(crate) mod reader;
pub(crate) mod reload;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use ureq::http::{Method, Request, StatusCode, Uri};
use ureq::{Agent, Body};

use crate::config::tree::value::host_part;
use crate::disk;
use crate::disk::login::Login;
use crate::http_client;

use super::flags::{Flags, USUAL_PORT};
use super::setup;
use super::style::plain;
use reader::Reader;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A detach answers only after the guard has waited 5 s for its workers.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The running guard that the flags name.
pub(crate) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    token_file: PathBuf,
    /// For reading.
    login: Login,
}

/// Whether a request carries the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Actuate,
}

impl Client {
    pub(crate) fn new(flags: &Flags) -> anyhow::Result<Self> {
        Self::with_patience(flags, ANSWER_TIMEOUT)
    }

    /// For callers that can do without an answer.
    pub(crate) fn with_patience(flags: &Flags, patience: Duration) -> anyhow::Result<Self> {
        let config =
            http_client::config(patience).timeout_connect(Some(CONNECT_TIMEOUT.min(patience)));
        let config = http_client::trusting(config, flags.ca_file.as_deref());
        let config = config.context("--ca-file")?;
        Ok(Self {
            agent: config.build().new_agent(),
            url: checked(&flags.url)?,
            token_file: setup::token_file(flags),
            login: Login::None,
        })
    }

    /// Reads with this name and password. What is changed needs the token all the same.
    pub(crate) fn reading_as(self, reader: &Reader) -> Self {
        let login = reader.login();
        Self { login, ..self }
    }

    /// As it is asked.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A read request. It never carries the token, whatever the answer: where no guard runs, anybody on
    /// this machine may answer at its address.
    pub(crate) fn read(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.send(&Method::GET, path, None, Access::Read)?;
        self.answer(status, &body, Access::Read)
    }

    /// A request that changes something, with the token.
    pub(crate) fn actuate(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let (status, body) = self.send(method, path, body, Access::Actuate)?;
        self.answer(status, &body, Access::Actuate)
    }

    fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        access: Access,
    ) -> anyhow::Result<(StatusCode, String)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(credential) = self.credential(access)? {
            request = request.header("Authorization", credential);
        }
        let response = match body {
            Some(body) => {
                request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body.to_string())?)
            }
            None => self.agent.run(request.body(())?),
        };
        let mut response = response.map_err(|error| self.unreachable(&error))?;
        let text = Body::read_to_string(response.body_mut());
        let text = text.map_err(|error| self.unreachable(&error))?;
        Ok((response.status(), text))
    }

    fn credential(&self, access: Access) -> anyhow::Result<Option<String>> {
        match access {
            Access::Actuate => Ok(Some(format!("Bearer {}", self.token()?))),
            Access::Read => self.login.header().map_err(|(path, error)| {
                anyhow::anyhow!("--password-file={}: {error}", path.display())
            }),
        }
    }

    fn answer(&self, status: StatusCode, body: &str, access: Access) -> anyhow::Result<Value> {
        let url = &self.url;
        if status.is_success() {
            return serde_json::from_str(body)
                .with_context(|| format!("{url} answers, but not as a thermal-guard does"));
        }
        let said = match error_of(body) {
            Some(said) => format!(": {said}"),
            None => String::new(),
        };
        let code = status.as_u16();
        match (status, access) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Access::Actuate) => bail!(
                "{url} refuses the token of {} ({code}){said}; name the guard's own with --token-file",
                self.token_file.display()
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Access::Read) => {
                bail!(
                    "{url} {} ({code}){said}{}",
                    self.unread().0,
                    self.unread().1
                )
            }
            (StatusCode::NOT_FOUND, _) if said.is_empty() => {
                bail!("{url} has no such thing (404): is it a thermal-guard of this version?")
            }
            // A name that was mistyped.
            (StatusCode::NOT_FOUND, _) => bail!("the guard at {url}{said}"),
            _ if said.is_empty() => bail!("{url} answered {status}"),
            _ => bail!("{url} answered {code}{said}"),
        }
    }

    /// Why nothing is shown, and what to do.
    fn unread(&self) -> (&'static str, &'static str) {
        if self.login == Login::None {
            let remedy = "; name a user of its basic_auth_users with --username and --password-file, or, where it wants a certificate, ask with `curl --cert`";
            ("shows nothing without a password or certificate", remedy)
        } else {
            let remedy = ": the users are in basic_auth_users of its web config";
            ("refuses this --username with this --password-file", remedy)
        }
    }

    fn token(&self) -> anyhow::Result<String> {
        let path = self.token_file.display();
        let its = self.token_file.clone();
        let text = disk::patiently(&self.token_file, ANSWER_TIMEOUT, move || {
            disk::read_text(&its, disk::MAX_BYTES)
        });
        let text = text.flatten();
        if let Err(error) = &text
            && error.kind() == io::ErrorKind::PermissionDenied
        {
            bail!(
                "the token {path} can't be read by this user: run this as root (sudo thermal-guard …), or name a readable file with --token-file"
            );
        }
        let text = text.with_context(|| {
            format!("no token in {path}; run this as the guard's user, or name a readable file with --token-file (a guard started with --simulate: give --simulate here, too)")
        })?;
        // During a rotation there may be two, one per line: either works.
        let token = text.split_whitespace().next();
        token
            .map(str::to_owned)
            .with_context(|| format!("{path} is empty, so there is no token to send; name the guard's own with --token-file"))
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let url = &self.url;
        let remedy = match error {
            // rustls has this only in words.
            error if error.to_string().contains("CaUsedAsEndEntity") => {
                "this certificate is an authority's: make it with basicConstraints=CA:FALSE"
            }
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                "name the authority of its certificate with --ca-file"
            }
            error if http_client::is_unknown_name(error) => {
                "nobody here knows that name: correct --url"
            }
            ureq::Error::Timeout(_) => "it is there but hangs, or a firewall drops the packets",
            _ if url.starts_with("https:") => {
                "is `thermal-guard serve` running there, and with TLS? --url says where"
            }
            _ => "is `thermal-guard serve` running there, and without TLS? --url says where",
        };
        anyhow::anyhow!("no guard answers at {url} ({error}): {remedy}")
    }
}

/// The field `error` of a refusal. Who answers need not be a guard, and must not move the cursor.
fn error_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body.get("error")?.as_str().map(plain)
}

/// The URL without a slash at its end. `node7` and `node7:10835` are URLs, too.
fn checked(url: &str) -> anyhow::Result<String> {
    if host_part(url).contains('@') {
        // Checked first: no other message may repeat the password.
        bail!("--url carries a user name or password: leave it out, the guard uses neither");
    }
    let whole = with_scheme(url, USUAL_PORT);
    let uri: Uri = whole
        .parse()
        .with_context(|| format!("--url {url:?} is no URL; wanted: http://host:port"))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    if !is_http || !has_host || uri.query().is_some() {
        bail!("--url {url:?} is not of the form http://host:port");
    }
    Ok(whole.trim_end_matches('/').to_owned())
}

/// With the scheme, and with the usual port if neither is said.
pub(crate) fn with_scheme(place: &str, usual_port: &str) -> String {
    if place.contains("://") {
        return place.to_owned();
    }
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'));
    let port = if has_port { "" } else { usual_port };
    format!("http://{authority}{port}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_url_and_has_the_guards_port() {
        for (typed, url) in [
            ("http://node7:8080/", "http://node7:8080"),
            ("https://node7", "https://node7"),
            ("node7", "http://node7:10835"),
            ("node7:8080", "http://node7:8080"),
            ("[::1]", "http://[::1]:10835"),
            ("[::1]:8080/guard/", "http://[::1]:8080/guard"),
        ] {
            assert_eq!(checked(typed).ok().as_deref(), Some(url), "{typed}");
        }
        for wrong in ["", "node 7", "ftp://node7", "http://node7?x=1"] {
            assert!(checked(wrong).is_err(), "{wrong}");
        }
        let secret = checked("root:hidden@node7").expect_err("refused");
        assert!(!secret.to_string().contains("hidden"), "{secret}");
    }
}
