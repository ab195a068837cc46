//! One request to an application. Bounded in time and size, and it goes where the configuration
//! says: no redirect, no proxy from the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use crate::config::app::MODE_PLACEHOLDER;
use crate::config::{HttpConfig, Method};
use crate::guard::secret;

/// Of one attempt, with name resolution and connecting.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Of a health answer: more than a status page says.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a request didn't get through. All are tried again.
#[derive(Debug, Error)]
pub(super) enum HttpError {
    #[error("answered {0}")]
    Status(u16),
    #[error("no token in {}: {reason}", path.display())]
    NoToken { path: PathBuf, reason: String },
    #[error("{0}")]
    Failed(Box<ureq::Error>),
}

/// A client for one app.
pub(super) fn agent() -> Agent {
    Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        // A connection from the last throttle is long dead.
        .max_idle_connections(0)
        .user_agent(concat!("thermal-guard/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// Tells the mode: in the URL, if that has a place for it, or as JSON. Blocks.
pub(super) fn tell(agent: &Agent, http: &HttpConfig, mode: &str) -> Result<(), HttpError> {
    let url = http.url.replace(MODE_PLACEHOLDER, mode);
    let in_url = http.url.contains(MODE_PLACEHOLDER);
    let token = http.bearer_token_file.as_deref().map(token).transpose()?;
    let request = match http.method {
        Method::Get => return judge(authorized(agent.get(&url), token).call()),
        Method::Post => agent.post(&url),
        Method::Put => agent.put(&url),
    };
    let request = authorized(request, token);
    judge(if in_url {
        request.send_empty()
    } else {
        let body = serde_json::json!({ "mode": mode }).to_string();
        request.content_type("application/json").send(body)
    })
}

/// Whether the app says that it is well, and in which mode it is, where the answer is JSON with a
/// `mode` in it. Blocks.
pub(super) fn ask(agent: &Agent, http: &HttpConfig) -> Result<Option<String>, HttpError> {
    let Some(health_url) = &http.health_url else {
        return Ok(None);
    };
    let token = http.bearer_token_file.as_deref().map(token).transpose()?;
    let answer = authorized(agent.get(health_url), token).call();
    let mut answer = accepted(answer)?;
    let body = answer.body_mut().with_config().limit(MAX_BYTES);
    // Most answers aren't JSON, and need not be.
    let said = body.read_json::<Health>().ok();
    Ok(said.and_then(|health| health.mode))
}

/// Of an answer's body, as far as it matters.
#[derive(Deserialize)]
struct Health {
    mode: Option<String>,
}

fn authorized<B>(request: RequestBuilder<B>, token: Option<String>) -> RequestBuilder<B> {
    match token {
        Some(token) => request.header("Authorization", format!("Bearer {token}")),
        None => request,
    }
}

fn token(path: &Path) -> Result<String, HttpError> {
    let none = |reason: String| HttpError::NoToken {
        path: path.to_owned(),
        reason,
    };
    let token = secret::line(path).map_err(|error| none(error.to_string()))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(none("one line of ASCII is wanted".to_owned()));
    }
    Ok(token)
}

/// The body isn't read, however long it is.
fn judge(answer: Result<Response<Body>, ureq::Error>) -> Result<(), HttpError> {
    accepted(answer).map(drop)
}

fn accepted(answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>, HttpError> {
    let answer = answer.map_err(|error| HttpError::Failed(Box::new(error)))?;
    if answer.status().is_success() {
        Ok(answer)
    } else {
        Err(HttpError::Status(answer.status().as_u16()))
    }
}
