//! The route of the metrics.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::clock::Clock;
use crate::registry::Registry;
use crate::web::snapshot::snapshots::Snapshots;

use super::cached_text::{CachedTexts, Stamp};
use super::collect::Collect;
use super::negotiate::Format;
use super::render::render;

/// What scrapes share.
struct Scrapes {
    snapshots: Arc<Snapshots>,
    /// The counters of the service.
    service: Registry,
    cached: Mutex<CachedTexts>,
}

/// `GET` on `path`.
pub fn router(snapshots: Arc<Snapshots>, service: Registry, path: &str) -> Router {
    let scrapes = Scrapes {
        snapshots,
        service,
        cached: Mutex::default(),
    };
    Router::new()
        .route(path, get(scrape))
        .with_state(Arc::new(scrapes))
}

async fn scrape(
    State(scrapes): State<Arc<Scrapes>>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let Ok(collect) = Collect::from_query(&query) else {
        let known = "unknown collect[]: the groups are gpu, guard and process\n";
        return (StatusCode::BAD_REQUEST, known).into_response();
    };
    let accept = headers.get_all(header::ACCEPT);
    let format = Format::negotiate(accept.iter().filter_map(|value| value.to_str().ok()));
    match scrapes.text(collect, format) {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, format.content_type())];
            (kind, text).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Scrapes {
    fn text(&self, collect: Collect, format: Format) -> Result<Body, fmt::Error> {
        let snapshots = &self.snapshots;
        let stamp = Stamp {
            generation: snapshots.shared().generation.current(),
            now: snapshots.shared().clock.wall(),
            last_scrape: snapshots.last_scrape(),
        };
        let make = |memory| {
            let snapshot = snapshots.take_present();
            render(memory, snapshot, &self.service, collect, format)
        };
        let cached = self.cached.lock();
        let mut cached = cached.unwrap_or_else(PoisonError::into_inner);
        let text = cached.get((format, collect), stamp, make);
        drop(cached);
        snapshots.scraped(Clock::unix());
        text.map(Body::from)
    }
}
