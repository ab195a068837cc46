//! `GET /metrics`: the latest ticks as Prometheus metrics. Never touches NVML: what a GPU last
//! said is at most one poll old, and gone when it is older than two.

mod actions;
mod classic;
mod events;
mod families;
mod gpu;
mod guard;
mod negotiate;
mod per_gpu;
mod process;
mod pull;
mod service;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;

use super::exposition::Exposition;
use super::snapshot::Snapshot;

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

/// `GET` on `path`.
pub fn router(exposition: Arc<Exposition>, path: &str) -> Router {
    Router::new()
        .route(path, get(scrape))
        .with_state(exposition)
}

async fn scrape(
    State(exposition): State<Arc<Exposition>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Ok(collect) = Collect::from_query(&query) else {
        let known = "unknown collect[]: there are gpu, guard and process\n";
        return (StatusCode::BAD_REQUEST, known).into_response();
    };
    let accept = headers.get_all(header::ACCEPT);
    let format = Format::negotiate(accept.iter().filter_map(|value| value.to_str().ok()));
    let snapshot = exposition.look();
    exposition.scraped(snapshot.unix);
    match render(snapshot, collect, format) {
        Ok(body) => ([(header::CONTENT_TYPE, format.content_type())], body).into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The text of one scrape.
pub fn render(snapshot: Snapshot, collect: Collect, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape { snapshot, collect }));
    let mut body = String::new();
    text::encode(&mut body, &registry)?;
    Ok(match format {
        Format::OpenMetrics => body,
        Format::Classic => classic::from_openmetrics(&body),
    })
}

/// One scrape as the encoder sees it.
#[derive(Debug)]
struct Scrape {
    snapshot: Snapshot,
    collect: Collect,
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut families = families::Families::new(encoder);
        guard::basics(&mut families, &self.snapshot)?;
        if self.collect.gpu {
            gpu::encode(&mut families, &self.snapshot)?;
        }
        if self.collect.guard {
            guard::encode(&mut families, &self.snapshot)?;
        }
        if self.collect.process {
            process::encode(&mut families)?;
        }
        Ok(())
    }
}
