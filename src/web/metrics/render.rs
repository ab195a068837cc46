//! The text of one scrape.

use std::fmt;

use prometheus_client::encoding::{prometheus_text, text};

use crate::registry::Registry;
use crate::web::snapshot::Snapshot;

use super::collect::Collect;
use super::collector::Views;
use super::negotiate::Format;

/// The share of a text's length that is spare for the next one: numbers get longer.
const SPARE: usize = 32;

/// The views of `snapshot`, and the counters of the service, in the empty `text`.
pub fn render(
    mut text: String,
    snapshot: Snapshot,
    service: &Registry,
    collect: Collect,
    format: Format,
) -> Result<String, fmt::Error> {
    let mut views = Registry::default();
    views.register_collector(Box::new(Views { snapshot, collect }));
    encode(&mut text, &views, format)?;
    if collect.guard {
        encode(&mut text, service, format)?;
    }
    if format == Format::OpenMetrics {
        text::encode_eof(&mut text)?;
    }
    text.shrink_to(text.len() + text.len() / SPARE);
    Ok(text)
}

fn encode(text: &mut String, registry: &Registry, format: Format) -> fmt::Result {
    match format {
        Format::OpenMetrics => text::encode_registry(text, registry),
        Format::Classic => prometheus_text::encode(text, registry),
    }
}
