//! thermal-guard keeps NVIDIA GPUs under their temperature limits without killing what runs on
//! them, and gives back exactly what it took. See ARCHITECTURE.md for the map.

pub mod cli;
pub mod config;
pub mod device;
mod files;
#[doc(hidden)]
pub mod fuzzing;
pub mod guard;
pub mod policy;
pub mod units;
pub mod web;
