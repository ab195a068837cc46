//! The process itself: alive, ready, reload, detach, attach.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::guard::Tick;
use crate::guard::state::{GpuHandle, Shared};
use crate::units::Moment;
use crate::web::app::App;
use crate::web::http::refusal::Refusal;

/// How long a detach waits for the workers to let go. A worker inside a hung call won't.
const DETACH_PATIENCE: Duration = Duration::from_secs(5);

/// Answers as long as the process runs.
pub(crate) async fn healthy() -> &'static str {
    "healthy\n"
}

/// The GPUs are known and each has been read.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> (StatusCode, String) {
    match unready(&app.desk.shared) {
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
    let status = shared.driver_status();
    if !status.ready {
        let error = status.error.map(|error| format!(": {error}"));
        let error = error.unwrap_or_default();
        return Some(format!("the GPUs aren't known yet{error}"));
    }
    let gpu_handles = shared.gpu_handles();
    let unread = gpu_handles
        .iter()
        .filter(|gpu_handle| gpu_handle.latest().is_none())
        .count();
    (unread > 0).then(|| format!("{unread} of {} GPUs not read yet", gpu_handles.len()))
}

#[derive(Serialize)]
struct Reloaded {
    reloaded: bool,
}

/// On a blocking thread: it reads files.
pub(crate) async fn reload(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    let reloaded = tokio::task::spawn_blocking(move || (app.reload)()).await;
    match reloaded {
        Ok(Ok(())) => Ok(Json(Reloaded { reloaded: true }).into_response()),
        Ok(Err(reason)) => Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason)),
        Err(_) => Err(Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the reload broke off: see the log",
        )),
    }
}

/// Whether anything holds the driver.
#[derive(Serialize)]
pub(crate) struct Handles {
    detached: bool,
    /// What still holds the driver, so that a GPU reset would fail.
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

/// Answers once all handles are closed, or tells which ones aren't.
pub(crate) async fn detach(State(app): State<Arc<App>>) -> (StatusCode, Json<Handles>) {
    let shared = &app.desk.shared;
    let asked = shared.clock.wall();
    shared.detach();
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

pub(crate) async fn attach(State(app): State<Arc<App>>) -> Json<Handles> {
    tracing::info!("attaching: taking the GPUs again");
    app.desk.shared.attach();
    Json(Handles {
        detached: false,
        held: Vec::new(),
        error: None,
    })
}

async fn all_let_go(shared: &Shared, asked: Moment) {
    for gpu_handle in shared.gpu_handles() {
        let mut ticks = gpu_handle.subscribe();
        // An error means that the GPU's handle is gone, and with it the driver's.
        // Use the tick that is passed in: the channel is locked here, and `latest` would wait for ever.
        let _ = ticks
            .wait_for(|tick| is_without(tick.as_deref(), asked))
            .await;
    }
    shared.driver_released().await;
}

/// A worker shows it by a tick without its card, after the detach.
fn has_let_go(gpu_handle: &GpuHandle, asked: Moment) -> bool {
    is_without(gpu_handle.latest().as_deref(), asked)
}

fn is_without(tick: Option<&Tick>, asked: Moment) -> bool {
    tick.is_some_and(|tick| !tick.up && tick.at >= asked)
}

fn held(shared: &Shared, asked: Moment) -> Vec<Held> {
    let gpu_handles = shared.gpu_handles();
    let by_workers = gpu_handles
        .iter()
        .filter(|gpu_handle| !has_let_go(gpu_handle, asked));
    let by_workers = by_workers.map(|gpu_handle| Held {
        gpu: Some(gpu_handle.identity.index),
        uuid: Some(gpu_handle.identity.uuid.to_string()),
        by: "worker",
    });
    let others = shared.is_driver_held().then_some(Held {
        gpu: None,
        uuid: None,
        by: "event source or inventory",
    });
    by_workers.chain(others).collect()
}
