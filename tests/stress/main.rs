//! Tests that load the machine, or run as long as they are told to: `make test` runs each in brief.

#[path = "../common/mod.rs"]
mod common;

mod crash;
mod fuzz;
mod soak;
mod storm;
