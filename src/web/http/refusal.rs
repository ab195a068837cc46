//! Why a request was not served: a status code and one sentence, as JSON. Alertmanager copies the body
//! into its log, so it is short and tells the remedy; the hook's bodies repeat nothing that was sent.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer other than success.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: StatusCode,
    pub(crate) reason: Cow<'static, str>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
}

impl Refusal {
    pub(crate) fn new(code: StatusCode, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// The reason, if its text is fixed.
    pub(crate) const fn fixed_reason(&self) -> Option<&'static str> {
        match self.reason {
            Cow::Borrowed(reason) => Some(reason),
            Cow::Owned(_) => None,
        }
    }

    pub(crate) fn bad_request(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(crate) fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Body {
            error: &self.reason,
        };
        (self.code, Json(body)).into_response()
    }
}
