//! Who may actuate: the rules of the [gate](super::gate). Loopback is no exception.
//!
//! A client needs a bearer token, or a verified certificate with an allowed name. Nothing else counts:
//! no token in the query (logs would show it), no forwarded header, no scraper's password. The gate
//! decides from the headers alone, before a byte of the body is read.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::log_limit::{Line, LogLimit};
use crate::units::Moment;
use crate::web::http::peer::{ClientCertificate, Peer};
use crate::web::http::refusal::Refusal;

pub use crate::web::access::token_file::TokenError;
pub use crate::web::access::tokens::Tokens;

/// Why a request may not actuate: the `reason` of `thermal_guard_hook_auth_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthFailure {
    /// No credential.
    Missing,
    /// A credential of another kind, or two.
    Malformed,
    WrongToken,
    /// A verified certificate without an allowed name.
    Certificate,
    /// The guard has no token and allows no certificate.
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
    /// For the log: what to do if the request is legitimate.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Missing | Self::Malformed => {
                "send Authorization: Bearer with the guard's token, for example by credentials_file in Alertmanager's http_config"
            }
            Self::WrongToken => {
                "its token is not the guard's: copy the guard's token file to the sender"
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

/// Whether a path actuates, and so has this gate. The web config's password and rate limit are for
/// readers, and don't apply to it.
pub fn actuates(path: &str) -> bool {
    let api = ["/api/v1/leases", "/api/v1/pauses"];
    ["/hook", "/-/reload", "/-/detach", "/-/attach"].contains(&path)
        || api.iter().any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Who may actuate.
pub struct Actuators {
    tokens: Arc<Tokens>,
    /// Client certificates with one of these names may actuate.
    client_allowed_sans: ArcSwap<Vec<String>>,
}

impl Actuators {
    pub fn new(tokens: Tokens, client_allowed_sans: Vec<String>) -> Self {
        Self {
            tokens: Arc::new(tokens),
            client_allowed_sans: ArcSwap::from_pointee(client_allowed_sans),
        }
    }

    /// Other names, for requests that come from now on. The tokens follow their file by themselves.
    pub fn allow(&self, client_sans: Vec<String>) {
        self.client_allowed_sans.store(Arc::new(client_sans));
    }

    pub(crate) async fn follow_token_file(&self, now: Moment) {
        self.tokens.follow(now).await;
    }

    pub(crate) fn judge(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<(), AuthFailure> {
        let certificate = peer.and_then(|peer| peer.certificate.as_ref());
        let allowed = self.client_allowed_sans.load();
        if certificate.is_some_and(|shown| is_allowed(shown, &allowed)) {
            return Ok(());
        }
        if !self.tokens.is_available() && allowed.is_empty() {
            return Err(AuthFailure::Unavailable);
        }
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let token = match (given.next(), given.next()) {
            (None, _) if certificate.is_some() => return Err(AuthFailure::Certificate),
            (None, _) => return Err(AuthFailure::Missing),
            (Some(_), Some(_)) => return Err(AuthFailure::Malformed),
            (Some(value), None) => bearer(value).ok_or(AuthFailure::Malformed)?,
        };
        if self.tokens.accepts(token) {
            Ok(())
        } else {
            Err(AuthFailure::WrongToken)
        }
    }
}

/// Names are compared whole: a wildcard in a certificate matches nothing.
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

/// The same answer for every wrong credential: only the log and the metric tell which part was wrong.
pub(crate) fn refuse(failure: AuthFailure) -> Response {
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

/// A log line now and then about refused requests, however many there are.
#[derive(Debug)]
pub(crate) struct RefusedLog(LogLimit);

impl Default for RefusedLog {
    fn default() -> Self {
        Self(LogLimit::new(1, Duration::from_secs(10)))
    }
}

impl RefusedLog {
    pub(crate) fn report(&self, now: Moment, failure: AuthFailure, peer: Option<&Peer>) {
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
