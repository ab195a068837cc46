//! Who may actuate. One gate for every route that does; loopback is no exception.
//!
//! A bearer token, or a verified client certificate with an allowed name. Nothing else counts: no
//! token in the query (it would stand in logs), no forwarded header, no scraper's password. The
//! gate decides from the headers alone, before a byte of the body is read.

pub mod token_file;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::units::Moment;

use super::refusal::Refusal;
use super::sparing::{Line, Sparing};
use super::{Settings, Web};

pub use super::listen::Peer;
pub use super::tls::ClientCertificate;
pub use token_file::TokenError;
pub use tokens::Tokens;

/// Why a request doesn't actuate: the `reason` of `thermal_guard_hook_auth_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthFailure {
    /// No credential.
    Missing,
    /// A credential of another kind, or two.
    Malformed,
    WrongToken,
    /// Verified, but its names aren't allowed to actuate.
    Certificate,
    /// There is no credential that could be right.
    Unavailable,
}

impl AuthFailure {
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::Malformed,
        Self::WrongToken,
        Self::Certificate,
        Self::Unavailable,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::WrongToken => "wrong_token",
            Self::Certificate => "certificate",
            Self::Unavailable => "unavailable",
        }
    }
}

impl AuthFailure {
    /// For the log: what helps, if the request is one that should be obeyed.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Missing | Self::Malformed => {
                "it wants Authorization: Bearer with the guard's token, such as credentials_file in Alertmanager's http_config"
            }
            Self::WrongToken => {
                "its token is another than the guard's: copy the guard's token file to the sender"
            }
            Self::Certificate => {
                "list a name of its certificate in hook.client_allowed_sans, or give it the guard's token"
            }
            Self::Unavailable => {
                "the guard has no token: make its state directory writable, or configure hook.bearer_token_file"
            }
        }
    }
}

/// The gate: in front of every actuating route.
pub(super) async fn require(State(web): State<Arc<Web>>, request: Request, next: Next) -> Response {
    let now = web.shared.clock.wall();
    let peer = request.extensions().get::<Peer>();
    let settings = web.settings();
    settings.tokens.follow(now).await;
    match judge(&settings, request.headers(), peer) {
        Ok(()) => next.run(request).await,
        Err(failure) => {
            web.hook_counters.count_auth_failure(failure);
            web.refused.report(now, failure, peer);
            refuse(failure)
        }
    }
}

fn judge(settings: &Settings, headers: &HeaderMap, peer: Option<&Peer>) -> Result<(), AuthFailure> {
    let certificate = peer.and_then(|peer| peer.certificate.as_ref());
    if certificate.is_some_and(|shown| is_allowed(shown, &settings.client_allowed_sans)) {
        return Ok(());
    }
    if !settings.tokens.is_available() && settings.client_allowed_sans.is_empty() {
        return Err(AuthFailure::Unavailable);
    }
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let token = match (given.next(), given.next()) {
        (None, _) if certificate.is_some() => return Err(AuthFailure::Certificate),
        (None, _) => return Err(AuthFailure::Missing),
        (Some(_), Some(_)) => return Err(AuthFailure::Malformed),
        (Some(value), None) => bearer(value).ok_or(AuthFailure::Malformed)?,
    };
    if settings.tokens.accepts(token) {
        Ok(())
    } else {
        Err(AuthFailure::WrongToken)
    }
}

/// Names are compared whole: a wildcard in a certificate is not a wish we grant.
fn is_allowed(certificate: &ClientCertificate, allowed: &[String]) -> bool {
    certificate
        .sans
        .iter()
        .any(|san| allowed.iter().any(|name| name.eq_ignore_ascii_case(san)))
}

fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked("Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

/// The same answer for every wrong credential: which part was wrong is for our log and metric.
fn refuse(failure: AuthFailure) -> Response {
    match failure {
        AuthFailure::Missing | AuthFailure::Malformed | AuthFailure::WrongToken => {
            let refusal = Refusal::new(
                StatusCode::UNAUTHORIZED,
                "a valid Authorization: Bearer token is required",
            );
            let challenge = HeaderValue::from_static("Bearer");
            ([(WWW_AUTHENTICATE, challenge)], refusal).into_response()
        }
        AuthFailure::Certificate => {
            Refusal::new(StatusCode::FORBIDDEN, "this certificate may not actuate").into_response()
        }
        AuthFailure::Unavailable => Refusal::new(
            StatusCode::FORBIDDEN,
            "nothing may actuate: no token could be kept in the state directory and none is configured (hook.bearer_token_file)",
        )
        .into_response(),
    }
}

/// A line now and then about refused requests, however many there are.
#[derive(Debug)]
pub(super) struct Refused(Sparing);

impl Default for Refused {
    fn default() -> Self {
        Self(Sparing::new(1, Duration::from_secs(10)))
    }
}

impl Refused {
    fn report(&self, now: Moment, failure: AuthFailure, peer: Option<&Peer>) {
        let Some(Line { unsaid }) = self.0.line(now) else {
            return;
        };
        let peer = peer.map(|peer| peer.address.to_string());
        tracing::warn!(
            reason = failure.name(),
            peer,
            unsaid,
            "a request that would actuate was refused: {}",
            failure.remedy()
        );
    }
}
