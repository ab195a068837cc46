//! What several test programs need.
#![allow(dead_code, reason = "each test program uses its own part")]

pub(crate) mod chain;
pub(crate) mod dice;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod nvml_sim;
