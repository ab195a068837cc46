//! HTTP without a socket: what is sent and pulled, formats, codes, and the golden texts.

#[path = "../common/mod.rs"]
mod common;

mod history;
mod hook;
mod metrics;
mod names;
mod status;
