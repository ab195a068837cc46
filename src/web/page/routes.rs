//! The routes of the page, its stream and its assets.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use crate::web::http::peer::Peer;
use crate::web::snapshot::Snapshot;
use crate::web::snapshot::snapshots::Snapshots;
use crate::web::status::{Status, Streams};

use super::{board, html};

/// Only files of this server, and no inline script or style. In browsers that support it, no script
/// may turn a string into markup, not even the page's own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'",
);

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const STYLE: HeaderValue = HeaderValue::from_static("text/css; charset=utf-8");
const SCRIPT: HeaderValue = HeaderValue::from_static("text/javascript; charset=utf-8");

const CSS: &str = include_str!("status.css");
const LIVE: &str = include_str!("live.js");
const CHART: &str = include_str!("chart.js");

#[derive(Clone)]
struct Page {
    snapshots: Arc<Snapshots>,
    streams: Streams,
    /// The path of the metrics, for the link.
    telemetry_path: Arc<str>,
}

/// The page, its stream and its assets.
pub fn router(snapshots: Arc<Snapshots>, streams: Streams, telemetry_path: &str) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/live", get(live))
        .route("/assets/status.css", get(async || asset(STYLE, CSS)))
        .route("/assets/live.js", get(async || asset(SCRIPT, LIVE)))
        .route("/assets/chart.js", get(async || asset(SCRIPT, CHART)))
        .with_state(Page {
            snapshots,
            streams,
            telemetry_path: telemetry_path.into(),
        })
}

/// The page that shows `status`.
pub fn render(status: &Status, telemetry_path: &str) -> String {
    html::page(&board::board(status), telemetry_path)
}

async fn page(State(page): State<Page>) -> Response {
    let html = render(&Status::of(&page.snapshots.take()), &page.telemetry_path);
    guarded(HTML, HeaderValue::from_static("no-store"), html)
}

/// Private to the page: other programs use `GET /api/v1/events`.
async fn live(State(page): State<Page>, peer: Option<Extension<Peer>>) -> Response {
    page.streams.open(peer.as_deref(), |snapshot: &Snapshot| {
        let board = board::board(&Status::of(snapshot));
        Event::default().json_data(board).unwrap_or_default()
    })
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
