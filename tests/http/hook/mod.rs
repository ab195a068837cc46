//! Everything that actuates over HTTP, and the pull. Requests go through the real router; the tests check
//! the lease table and the alert chain. There is no GPU and no driver, because hook and pull must not
//! need them.
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
mod operate;
mod possible;
mod pull;
mod recorded;
mod targets;
mod traffic;
