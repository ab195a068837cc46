//! What the workers, the web and the supervisor share: [`Shared`], a verb for each thing that may
//! happen to it.
//!
//! A verb takes its lock for a moment, returns a value and wakes the workers that must know; no
//! lock leaves this folder. So a worker never waits here for anything that waits for a GPU or a disk.

mod apps;
mod asks;
mod cooling;
mod driver;
pub mod generation;
mod gpu_handle;
mod gpus;
pub mod history;
mod live;
mod shared;

pub use apps::Applications;
pub use asks::Inputs;
pub use driver::{DriverStatus, Holding};
pub use gpu_handle::GpuHandle;
pub use live::Live;
pub use shared::Shared;
