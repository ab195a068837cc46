//! NVML's return codes: their meaning to the guard (`fault`), and their names for people (`names`).

mod fault;
mod names;

pub(crate) use fault::{Failure, Fault, classify, driver_error, missing, refusal, unusable};
pub use names::code;
