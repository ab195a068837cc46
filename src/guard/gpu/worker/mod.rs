//! The control loop of one GPU: one OS thread that owns the card's handle, because NVML blocks. A
//! hung call costs this thread and nothing else.

mod app_mode;
mod card;
mod cooling;
mod energy;
mod gone;
mod leaving;
mod left;
mod log;
mod state;
mod tick;

pub use state::{Setup, Worker};
