//! Everything that actuates over HTTP: what is sent, through the real router, against the lease
//! table and the chain. No socket, no GPU, no driver: the hook must not need them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code fails by panicking"
)]

mod api;
mod auth;
mod bad_bodies;
mod bench;
mod operate;
mod recorded;
mod targets;
mod traffic;
