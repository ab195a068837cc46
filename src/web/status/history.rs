//! The last hour for charts: ten-second points, column by column. `?after=SLOT` gives what came
//! after a point already known, so that a chart that stays open asks for little.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::guard::history::{POINT, POINTS, Point, slot};
use crate::guard::{Shared, Station};
use crate::units::{Moment, Watts};
use crate::web::exposition::Exposition;

use super::fill::round;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    after: Option<u32>,
}

/// The last hour of every GPU.
#[derive(Serialize)]
struct History {
    /// Of one point.
    step_seconds: u64,
    /// Points in an hour.
    points: u32,
    /// The number of the point that now falls into. Numbers count from the guard's start.
    newest: u32,
    gpus: Vec<Columns>,
}

/// One GPU's points: the n-th entries of all columns belong together. What wasn't read is null;
/// points during which nothing was heard of the GPU are left out.
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
    /// The lowest.
    limit_watts: Vec<Option<f64>>,
    /// The gravest.
    state: Vec<&'static str>,
}

pub(super) async fn history(
    State(exposition): State<Arc<Exposition>>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let history = History::of(exposition.shared(), wanted.after);
    ([(header::CACHE_CONTROL, "no-store")], Json(history)).into_response()
}

impl History {
    fn of(shared: &Shared, after: Option<u32>) -> Self {
        let now = shared.clock.now();
        let stations = shared.stations();
        let gpus = stations
            .iter()
            .map(|station| Columns::of(station, now, after));
        let mut gpus: Vec<_> = gpus.collect();
        gpus.sort_by_key(|gpu| gpu.index);
        Self {
            step_seconds: POINT.as_secs(),
            points: POINTS,
            newest: slot(now),
            gpus,
        }
    }
}

impl Columns {
    fn of(station: &Station, now: Moment, after: Option<u32>) -> Self {
        // Taken out at once: the worker may be waiting to record its tick.
        let new = |point: &&Point| after.is_none_or(|after| point.slot > after);
        let points: Vec<_> = station.history().points(now).filter(new).copied().collect();
        // A card that was opened anew may have moved to another index.
        let latest = station.latest();
        let identity = latest
            .as_ref()
            .map_or(&station.identity, |tick| &tick.identity);
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
