//! The last hour for charts: ten-second points, column by column. `?after=SLOT` asks for the points
//! after one that the chart already has.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::guard::state::history::{POINT, POINTS, Point, slot};
use crate::guard::state::{GpuHandle, Shared};
use crate::units::{Moment, Watts};
use crate::web::snapshot::snapshots::Snapshots;

use super::fill::round;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    after: Option<u32>,
}

/// The last hour of every GPU.
#[derive(Serialize)]
struct History {
    /// Length of one point.
    step_seconds: u64,
    /// The same by the clock on the wall, which differs if the guard's time runs faster.
    wall_step_seconds: f64,
    /// Points in an hour.
    points: u32,
    /// The number of the current point. Numbers count from the guard's start.
    newest: u32,
    gpus: Vec<Columns>,
}

/// One GPU's points: the n-th entries of all columns belong together. A value that wasn't read is
/// null; points without a sign of the GPU are left out.
#[derive(Default, Serialize)]
struct Columns {
    uuid: String,
    index: u32,
    slot: Vec<u32>,
    min_celsius: Vec<Option<f64>>,
    mean_celsius: Vec<Option<f64>>,
    max_celsius: Vec<Option<f64>>,
    memory_max_celsius: Vec<Option<f64>>,
    draw_watts: Vec<Option<f64>>,
    /// The lowest limit.
    limit_watts: Vec<Option<f64>>,
    /// The gravest state.
    state: Vec<&'static str>,
}

pub(crate) async fn history(
    State(snapshots): State<Arc<Snapshots>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let history = History::of(snapshots.shared(), wanted.after);
    ([(header::CACHE_CONTROL, "no-store")], Json(history)).into_response()
}

impl History {
    fn of(shared: &Shared, after: Option<u32>) -> Self {
        let now = shared.clock.now();
        let gpu_handles = shared.gpu_handles();
        let gpus = gpu_handles
            .iter()
            .map(|gpu_handle| Columns::of(gpu_handle, now, after));
        let mut gpus: Vec<_> = gpus.collect();
        gpus.sort_by_key(|gpu| gpu.index);
        Self {
            step_seconds: POINT.as_secs(),
            wall_step_seconds: shared.clock.on_wall(POINT).as_secs_f64(),
            points: POINTS,
            newest: slot(now),
            gpus,
        }
    }
}

impl Columns {
    fn of(gpu_handle: &GpuHandle, now: Moment, after: Option<u32>) -> Self {
        let points = gpu_handle.points(now, after);
        // A card that was opened again may have moved to another index.
        let latest = gpu_handle.latest();
        let identity = latest
            .as_ref()
            .map_or(&gpu_handle.identity, |tick| &tick.identity);
        let mut columns = Self {
            uuid: identity.uuid.as_str().to_owned(),
            index: identity.index,
            ..Self::default()
        };
        for point in &points {
            columns.add(point);
        }
        columns
    }

    fn add(&mut self, point: &Point) {
        let core = point.core();
        let core = |which: usize| core.map(|core| round(core[which]));
        self.slot.push(point.slot);
        self.min_celsius.push(core(0));
        self.mean_celsius.push(core(1));
        self.max_celsius.push(core(2));
        self.memory_max_celsius.push(point.memory().map(round));
        self.draw_watts.push(point.draw().map(round));
        self.limit_watts.push(point.limit().map(Watts::as_f64));
        self.state
            .push(point.state().map_or("", |state| state.name()));
    }
}
