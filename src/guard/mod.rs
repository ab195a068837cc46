//! The imperative shell around the policy: one control loop per GPU, a supervisor that finds the GPUs,
//! and the state they share with the web.

pub mod actuate;
pub mod counters;
pub mod evidence;
pub mod gpu;
pub mod hang_watch;
pub mod inventory;
pub mod memory;
pub mod outcomes;
pub mod state;
pub mod supervisor;
pub mod tick;
pub mod watchdog;

#[cfg(test)]
mod tests;

pub use supervisor::{Guard, Plan};
pub use tick::{Permission, Tick};
