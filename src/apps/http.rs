//! One request to an application, limited in time and size. It goes only where the configuration says:
//! no redirect, no proxy from the environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use ureq::http::Response;
use ureq::{Agent, Body, RequestBuilder};

use crate::config::app::MODE_PLACEHOLDER;
use crate::config::{HttpConfig, Method};
use crate::disk::credential;
use crate::http_client;

/// Timeout of one attempt, including name resolution and connecting.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum length of a health answer, more than a status page needs.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a request failed. All are retried.
#[derive(Debug, Error)]
pub(crate) enum HttpError {
    #[error("answered {0}")]
    Status(u16),
    #[error("no token in {}: {reason}", path.display())]
    NoToken { path: PathBuf, reason: String },
    #[error("{0}")]
    Failed(Box<ureq::Error>),
}

/// A client for one app.
pub(crate) fn agent() -> Agent {
    http_client::config(TIMEOUT)
        // A connection from the last throttle is closed by now.
        .max_idle_connections(0)
        .build()
        .new_agent()
}

/// Sends the mode: in the URL if it has a placeholder, and in the body, which is the app's own for this
/// mode or, without a placeholder, ours. Blocks.
pub(crate) fn tell(agent: &Agent, http: &HttpConfig, mode: &str) -> Result<(), HttpError> {
    let url = http.url.replace(MODE_PLACEHOLDER, mode);
    let in_url = http.url.contains(MODE_PLACEHOLDER);
    let token = http.bearer_token_file.as_deref().map(token).transpose()?;
    let request = match http.method {
        Method::Get => return judge(authorized(agent.get(&url), token).call()),
        Method::Post => agent.post(&url),
        Method::Put => agent.put(&url),
        Method::Patch => agent.patch(&url),
    };
    let request = authorized(request, token);
    let ours = || (!in_url).then(|| serde_json::json!({ "mode": mode }).to_string());
    judge(match http.bodies.get(mode).cloned().or_else(ours) {
        None => request.send_empty(),
        Some(body) => request.content_type("application/json").send(body),
    })
}

/// Asks whether the app is well, and in which mode it is if the answer is JSON with a `mode`. Blocks.
pub(crate) fn ask(agent: &Agent, http: &HttpConfig) -> Result<Option<String>, HttpError> {
    let Some(health_url) = &http.health_url else {
        return Ok(None);
    };
    let token = http.bearer_token_file.as_deref().map(token).transpose()?;
    let answer = authorized(agent.get(health_url), token).call();
    let mut answer = accepted(answer)?;
    let body = answer.body_mut().with_config().limit(MAX_BYTES);
    // Most answers aren't JSON and needn't be.
    let said = body.read_json::<Health>().ok();
    Ok(said.and_then(|health| health.mode))
}

/// The part of an answer that matters.
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
    let token = credential::line(path).map_err(|error| none(error.to_string()))?;
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
