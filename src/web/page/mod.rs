//! `GET /`: the status board for people, without Grafana and without anything from elsewhere. The
//! server renders it whole; a script, where one runs, keeps it current from the event stream.

mod html;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::exposition::Exposition;
use super::status::Status;

pub use html::render;

/// Nothing but our own files, and no inline script: a GPU's name can't become one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

const CSS: &str = include_str!("status.css");
const JS: &str = include_str!("status.js");

/// What the page needs.
#[derive(Clone)]
struct Page {
    exposition: Arc<Exposition>,
    /// Where the metrics are, for the link.
    telemetry_path: Arc<str>,
}

/// The page and its assets.
pub fn router(exposition: Arc<Exposition>, telemetry_path: &str) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/status.css", get(async || asset(STYLE, CSS)))
        .route("/assets/status.js", get(async || asset(SCRIPT, JS)))
        .with_state(Page {
            exposition,
            telemetry_path: telemetry_path.into(),
        })
}

async fn page(State(page): State<Page>) -> Response {
    let status = Status::of(&page.exposition.look());
    let html = render(&status, &page.telemetry_path);
    guarded(HTML, HeaderValue::from_static("no-store"), html)
}

fn asset(kind: HeaderValue, text: &'static str) -> Response {
    guarded(kind, HeaderValue::from_static("no-cache"), text)
}

fn guarded(kind: HeaderValue, cache: HeaderValue, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, cache),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, body).into_response()
}
