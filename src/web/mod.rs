//! Everything over HTTP; see [`router`] for the paths.

pub mod access;
pub mod actuate;
mod app;
pub mod http;
pub mod metrics;
pub mod page;
mod router;
pub mod snapshot;
pub mod status;

pub use crate::alerts::Names;
pub use access::actuators::actuates;
pub use app::{App, Reload};
pub use router::{reading_router, router};
pub use snapshot::snapshots::Snapshots;
