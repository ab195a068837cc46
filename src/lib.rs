//! thermal-guard keeps NVIDIA GPUs under their temperature limits without killing what runs on
//! them, and gives back exactly what it took. See ARCHITECTURE.md for the map.

pub mod alerts;
pub mod apps;
pub mod backtest;
pub mod cli;
pub mod clock;
pub mod config;
pub mod device;
pub mod disk;
pub mod events;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub(crate) mod http_client;
pub(crate) mod log_limit;
pub mod policy;
pub mod recording;
pub mod registry;
pub mod sim;
pub mod thermal_fit;
pub mod units;
pub mod web;
