//! `GET /api/v1/status`, the status document as JSON; `GET /api/v1/events`, the document again as it
//! changes; `GET /api/v1/history`, the last hour for charts. All of them only read.

mod document;
mod events;
mod evidence;
mod fill;
mod history;
mod or_unknown;
mod routes;
mod stream_limit;
mod why;

pub use document::{
    App, Asks, ByLevel, Chain, Configuration, Driver, Firmware, Gpu, Hour, Knob, Lease, Limit,
    Readings, Sensor, Status, TripPoints, misheard,
};
pub use events::{STREAMS, Streams};
pub use or_unknown::OrUnknown;
pub use routes::router;
