//! What the guard tells over HTTP: metrics, status, the page for people.

pub mod exposition;
mod extra;
pub mod metrics;
pub mod page;
pub mod snapshot;
pub mod status;

pub use exposition::Exposition;
