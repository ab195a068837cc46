//! The text of one scrape.

use std::fmt;

use prometheus_client::encoding::{prometheus_text, text};

use crate::registry::Registry;
use crate::web::snapshot::Snapshot;

use super::collect::Collect;
use super::collector::Views;
use super::negotiate::Format;

/// Bytes that a text of eight GPUs takes.
const CAPACITY: usize = 128 << 10;

/// The views of `snapshot`, and the counters of the service.
pub fn render(
    snapshot: Snapshot,
    service: &Registry,
    collect: Collect,
    format: Format,
) -> Result<String, fmt::Error> {
    let mut views = Registry::default();
    views.register_collector(Box::new(Views { snapshot, collect }));
    let mut text = String::with_capacity(CAPACITY);
    encode(&mut text, &views, format)?;
    if collect.guard {
        encode(&mut text, service, format)?;
    }
    if format == Format::OpenMetrics {
        text::encode_eof(&mut text)?;
    }
    text.shrink_to_fit();
    Ok(text)
}

fn encode(text: &mut String, registry: &Registry, format: Format) -> fmt::Result {
    match format {
        Format::OpenMetrics => text::encode_registry(text, registry),
        Format::Classic => prometheus_text::encode(text, registry),
    }
}
