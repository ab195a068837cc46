//! The harness: guards, simulated machines, the alert chain, waiting, skipping. All test programs share
//! it.
//!
//! `guard` runs the real program over a machine of `nvml_sim`; `card` heats and watches that machine;
//! `chain` adds Prometheus and Alertmanager; `virtual_node` is a node without clocks and processes.
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "each test program uses its own part"
)]

pub(crate) mod card;
pub(crate) mod cases;
pub(crate) mod certificates;
pub(crate) mod chain;
pub(crate) mod delivery;
pub(crate) mod dice;
pub(crate) mod figures;
pub(crate) mod fleet;
pub(crate) mod guard;
pub(crate) mod http;
pub(crate) mod needs;
pub(crate) mod nvml_sim;
pub(crate) mod owners;
pub(crate) mod process;
pub(crate) mod recorded;
pub(crate) mod scrape;
pub(crate) mod virtual_node;
pub(crate) mod wait;
