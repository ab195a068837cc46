//! The whole alert chain: the real program over simulated GPUs, with the real Prometheus and
//! Alertmanager on the shipped rules.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::float_cmp,
    reason = "tests fail by panic, time things by the wall, start programs, and compare limits exactly"
)]

#[path = "../common/mod.rs"]
mod common;

mod alerts;
mod pull;
mod resend;
mod smoke;
