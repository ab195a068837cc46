//! `GET /api/v1/status`, the status board as JSON, `GET /api/v1/events`, the same again as it
//! changes, and `GET /api/v1/history`, the last hour for charts. Read-only.

mod document;
mod events;
mod evidence;
mod fill;
mod history;
mod seats;
mod why;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::exposition::Exposition;

pub use document::{
    App, Asks, ByLevel, Chain, Driver, Gpu, Hour, Knob, Lease, Limit, Readings, Sensor, Status,
    TripPoints, misheard,
};
pub use events::{STREAMS, Streams};

/// The API's reading half.
pub fn router(exposition: Arc<Exposition>, streams: Streams) -> Router {
    let events = Router::new()
        .route("/api/v1/events", get(events::documents))
        .with_state(streams);
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/api/v1/history", get(history::history))
        .with_state(exposition)
        .merge(events)
}

async fn status(State(exposition): State<Arc<Exposition>>) -> Response {
    let status = Status::of(&exposition.look());
    ([(header::CACHE_CONTROL, "no-store")], Json(status)).into_response()
}
