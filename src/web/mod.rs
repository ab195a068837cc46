//! What the guard tells over HTTP: metrics, status, the page for people.

pub mod exposition;
pub mod metrics;
pub mod page;
pub mod status;
