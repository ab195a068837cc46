//! Everything that actuates over HTTP: what is sent, through the real router, against the lease
//! table and the chain; and what is pulled, against the same. No GPU, no driver: neither must need
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code fails by panicking"
)]

mod any_delivery;
mod api;
mod auth;
mod bad_bodies;
mod bad_inputs;
mod bench;
#[path = "../common/fleet.rs"]
mod fleet;
mod operate;
mod possible;
mod pull;
mod recorded;
mod targets;
mod traffic;
