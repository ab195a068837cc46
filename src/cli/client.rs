//! Talking to a running guard: one request, one answer, an error that says what to do.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use ureq::http::{Method, Request, StatusCode, Uri};
use ureq::{Agent, Body};

use crate::config::value::host_part;
use crate::files;
use crate::web::trust;

use super::Flags;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A detach answers only after the guard has waited 5 s for its workers to let go.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The running guard, as the flags say where it is.
pub(super) struct Client {
    agent: Agent,
    /// Without a slash at its end.
    url: String,
    token_file: PathBuf,
}

/// Whether a request carries the token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Only once the guard asks for it: the token's file may be root's alone.
    Read,
    Actuate,
}

impl Client {
    pub(super) fn new(flags: &Flags) -> anyhow::Result<Self> {
        Self::with_patience(flags, ANSWER_TIMEOUT)
    }

    /// For who can do without an answer.
    pub(super) fn with_patience(flags: &Flags, patience: Duration) -> anyhow::Result<Self> {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT.min(patience)))
            .timeout_global(Some(patience))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // The token is the guard's alone, not a proxy's.
            .proxy(None)
            .user_agent(concat!("thermal-guard/", env!("CARGO_PKG_VERSION")));
        let config = match &flags.ca_file {
            Some(path) => config.tls_config(trust::only(path).context("--ca-file")?),
            None => config,
        };
        Ok(Self {
            agent: config.build().new_agent(),
            url: checked(&flags.url)?,
            token_file: flags.token_file(),
        })
    }

    /// What anyone may see who may reach the guard.
    pub(super) fn read(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self.send(&Method::GET, path, None, Access::Read)?;
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return self.answer(status, &body, Access::Read);
        }
        let again = self.send(&Method::GET, path, None, Access::Actuate);
        let (status, body) = again.context("the guard shows nothing without authentication")?;
        self.answer(status, &body, Access::Actuate)
    }

    /// What changes something, with the token.
    pub(super) fn actuate(
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
        if access == Access::Actuate {
            request = request.header("Authorization", format!("Bearer {}", self.token()?));
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
            (StatusCode::NOT_FOUND, _) if said.is_empty() => {
                bail!("{url} has no such thing (404): is it a thermal-guard of this version?")
            }
            _ if said.is_empty() => bail!("{url} answered {status}"),
            _ => bail!("{url} answered {code}{said}"),
        }
    }

    fn token(&self) -> anyhow::Result<String> {
        let path = self.token_file.display();
        let its = self.token_file.clone();
        let text = files::patiently(&self.token_file, ANSWER_TIMEOUT, move || {
            files::read_text(&its, files::MAX_BYTES)
        });
        let text = text.flatten().with_context(|| {
            format!("no token in {path}; run this as the guard's user, or name a readable file with --token-file (a guard started with --simulate: give --simulate here, too)")
        })?;
        // During a rotation there may be two, a line each: either is good.
        let token = text.split_whitespace().next();
        token
            .map(str::to_owned)
            .with_context(|| format!("{path} is empty, so there is no token to send; name the guard's own with --token-file"))
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        let url = &self.url;
        let remedy = match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                "name the authority of its certificate with --ca-file"
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

/// The `error` of a refusal.
fn error_of(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    body.get("error")?.as_str().map(str::to_owned)
}

fn checked(url: &str) -> anyhow::Result<String> {
    if host_part(url).contains('@') {
        // First of all: no other complaint may repeat the password.
        bail!("--url carries a user name or password: leave it out, the guard wants neither");
    }
    let uri: Uri = url
        .parse()
        .with_context(|| format!("--url {url:?} is no URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.query().is_some() {
        bail!("--url {url:?} is not of the form http://host:port");
    }
    Ok(url.trim_end_matches('/').to_owned())
}
