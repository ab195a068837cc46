//! The process itself: alive, ready, reload, detach, attach.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::guard::{Shared, Station, Tick};
use crate::units::Moment;

use super::Web;
use super::refusal::Refusal;

/// How long a detach waits for the workers to let go. One inside a hung call won't.
const DETACH_PATIENCE: Duration = Duration::from_secs(5);

/// Answers as long as the process does.
pub(super) async fn healthy() -> &'static str {
    "healthy\n"
}

/// The GPUs are known and each has been read.
pub(super) async fn ready(State(web): State<Arc<Web>>) -> (StatusCode, String) {
    match unready(&web.shared) {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

fn unready(shared: &Shared) -> Option<String> {
    if shared.is_stopping() {
        return Some("shutting down".to_owned());
    }
    if shared.is_detached() {
        return Some(
            "detached: every GPU is let go of; POST /-/attach takes them again".to_owned(),
        );
    }
    let status = shared.driver_status().clone();
    if !status.ready {
        let error = status.error.map(|error| format!(": {error}"));
        let error = error.unwrap_or_default();
        return Some(format!("the GPUs aren't known yet{error}"));
    }
    let stations = shared.stations();
    let unread = stations
        .iter()
        .filter(|station| station.latest().is_none())
        .count();
    (unread > 0).then(|| format!("{unread} of {} GPUs not read yet", stations.len()))
}

#[derive(Serialize)]
struct Reloaded {
    reloaded: bool,
}

/// Off the HTTP threads: it reads files.
pub(super) async fn reload(State(web): State<Arc<Web>>) -> Result<Response, Refusal> {
    let reloaded = tokio::task::spawn_blocking(move || (web.reload)()).await;
    match reloaded {
        Ok(Ok(())) => Ok(Json(Reloaded { reloaded: true }).into_response()),
        Ok(Err(reason)) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason)),
        Err(_) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the reload broke off: see the log",
        )),
    }
}

/// Whether any handle of NVML's is held.
#[derive(Serialize)]
pub(super) struct Handles {
    detached: bool,
    /// Where the driver is still held, and so a GPU reset would fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    held: Vec<Held>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Held {
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uuid: Option<String>,
    by: &'static str,
}

/// Answers once every handle is let go of, or says which isn't.
pub(super) async fn detach(State(web): State<Arc<Web>>) -> (StatusCode, Json<Handles>) {
    let shared = &web.shared;
    let asked = shared.clock.wall();
    shared.set_detached(true);
    tracing::info!("detaching: letting go of every GPU");
    let _ = tokio::time::timeout(DETACH_PATIENCE, all_let_go(shared, asked)).await;
    let held = held(shared, asked);
    let detached = held.is_empty();
    let code = if detached {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let error = (!detached).then_some("not every handle is let go of: a driver call may hang");
    let answer = Handles {
        detached,
        held,
        error,
    };
    (code, Json(answer))
}

pub(super) async fn attach(State(web): State<Arc<Web>>) -> Json<Handles> {
    tracing::info!("attaching: taking the GPUs again");
    web.shared.set_detached(false);
    Json(Handles {
        detached: false,
        held: Vec::new(),
        error: None,
    })
}

async fn all_let_go(shared: &Shared, asked: Moment) {
    for station in shared.stations() {
        let mut ticks = station.subscribe();
        // An error: the station is gone, and so is its handle.
        // The tick that is given, not the station's: that one is locked here, and a loop that waits
        // to publish its next would wait for ever.
        let _ = ticks
            .wait_for(|tick| is_without(tick.as_deref(), asked))
            .await;
    }
    shared.unheld().await;
}

/// A worker says so with a tick without its card, taken after it was asked.
fn has_let_go(station: &Station, asked: Moment) -> bool {
    is_without(station.latest().as_deref(), asked)
}

fn is_without(tick: Option<&Tick>, asked: Moment) -> bool {
    tick.is_some_and(|tick| !tick.up && tick.at >= asked)
}

fn held(shared: &Shared, asked: Moment) -> Vec<Held> {
    let stations = shared.stations();
    let by_workers = stations
        .iter()
        .filter(|station| !has_let_go(station, asked));
    let by_workers = by_workers.map(|station| Held {
        gpu: Some(station.identity.index),
        uuid: Some(station.identity.uuid.to_string()),
        by: "worker",
    });
    let others = shared.is_held().then_some(Held {
        gpu: None,
        uuid: None,
        by: "event source or inventory",
    });
    by_workers.chain(others).collect()
}
