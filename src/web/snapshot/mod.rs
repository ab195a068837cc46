//! The guard at one moment, and how it is taken.

mod service_view;
pub mod snapshots;
mod view;

pub use service_view::{AppView, ConfigurationView, ServiceView, Told};
pub use view::{Build, ChainView, GpuView, LeaseView, Snapshot};
