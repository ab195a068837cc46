//! `GET /metrics`: the latest ticks as Prometheus metrics. Never touches NVML: what a GPU last
//! said is at most one poll old, and gone when it is older than two.

mod actions;
mod events;
mod evidence;
mod families;
mod gpu;
mod guard;
mod labels;
mod memo;
mod negotiate;
mod parts;
mod per_gpu;
mod pieces;
mod process;
mod pull;
mod service;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::exposition::Exposition;
use super::snapshot::Snapshot;

use pieces::Pieces;

pub(in crate::web) use evidence::FAN;
pub use memo::Memo;
pub use negotiate::Format;

/// Which groups of metrics a scrape wants. Build, driver and `gpu_up` always come: an empty answer
/// looks like a healthy one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collect {
    pub gpu: bool,
    pub guard: bool,
    pub process: bool,
}

impl Collect {
    pub const ALL: Self = Self {
        gpu: true,
        guard: true,
        process: true,
    };

    /// From the query's `collect[]`; none of them means all. The name of an unknown one otherwise.
    pub fn from_query(query: &[(String, String)]) -> Result<Self, &str> {
        let mut wanted = query
            .iter()
            .filter(|(key, _)| key == "collect[]")
            .map(|(_, group)| group.as_str())
            .peekable();
        if wanted.peek().is_none() {
            return Ok(Self::ALL);
        }
        let mut collect = Self {
            gpu: false,
            guard: false,
            process: false,
        };
        for group in wanted {
            match group {
                "gpu" => collect.gpu = true,
                "guard" => collect.guard = true,
                "process" => collect.process = true,
                unknown => return Err(unknown),
            }
        }
        Ok(collect)
    }
}

/// What scrapes share.
struct Scrapes {
    exposition: Arc<Exposition>,
    memo: Mutex<Memo>,
}

/// `GET` on `path`.
pub fn router(exposition: Arc<Exposition>, path: &str) -> Router {
    let memo = Mutex::default();
    Router::new()
        .route(path, get(scrape))
        .with_state(Arc::new(Scrapes { exposition, memo }))
}

async fn scrape(
    State(scrapes): State<Arc<Scrapes>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Ok(collect) = Collect::from_query(&query) else {
        let known = "unknown collect[]: there are gpu, guard and process\n";
        return (StatusCode::BAD_REQUEST, known).into_response();
    };
    let accept = headers.get_all(header::ACCEPT);
    let format = Format::negotiate(accept.iter().filter_map(|value| value.to_str().ok()));
    let snapshot = scrapes.exposition.glance();
    scrapes.exposition.scraped(snapshot.unix);
    let memo = scrapes.memo.lock();
    let text = memo
        .unwrap_or_else(PoisonError::into_inner)
        .parts(snapshot, collect, format);
    match text {
        Ok(parts) => {
            let kind = [(header::CONTENT_TYPE, format.content_type())];
            (kind, Body::new(Pieces::of(parts))).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The text of one scrape, with nothing remembered.
pub fn render(snapshot: Snapshot, collect: Collect, format: Format) -> Result<String, fmt::Error> {
    Memo::default().render(snapshot, collect, format)
}
