//! The part of the API that only reads.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use crate::web::snapshot::snapshots::Snapshots;

use super::document::Status;
use super::events::{self, Streams};
use super::history;

pub fn router(snapshots: Arc<Snapshots>, streams: Streams) -> Router {
    let events = Router::new()
        .route("/api/v1/events", get(events::documents))
        .with_state(streams);
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/history", get(history::history))
        .with_state(snapshots)
        .merge(events)
}

async fn status(State(snapshots): State<Arc<Snapshots>>) -> Response {
    let status = Status::of(&snapshots.take());
    ([(header::CACHE_CONTROL, "no-store")], Json(status)).into_response()
}
