//! thermal-guard keeps NVIDIA GPUs under their temperature limits without killing what runs on
//! them, and gives back exactly what it took. See ARCHITECTURE.md for the map.

pub mod cli;
pub mod config;
pub mod device;
pub mod guard;
pub mod policy;
pub mod units;
pub mod web;
