//! Handlers that actuate: Alertmanager's [`hook`], manual leases and pauses, detach and reload.

pub mod counters;
pub mod hook;
pub(crate) mod lease;
pub(crate) mod operate;
pub mod reload_counters;
