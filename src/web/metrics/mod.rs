//! `GET /metrics`. Counters of the service are registered by their owners; the other metrics are views
//! of the latest ticks. A scrape never touches NVML: a reading is at most one poll old, and gone once
//! it is older than two.

mod cached_text;
mod collect;
mod collector;
mod negotiate;
mod render;
mod scrape;
mod views;

pub use collect::Collect;
pub use negotiate::Format;
pub use render::render;
pub use scrape::router;
