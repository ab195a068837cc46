//! A simulated `libnvidia-ml.so.1`: the driver's management library, with no driver and no GPU
//! behind it but a file, in which the cards' state lies and a thermal model runs.
//!
//! ```text
//!  exporter ─┐                                      ┌─ physics: thermal_guard::sim::plant
//!  nvitop  ──┼─ exports (C ABI) ─ session ─ state file ─┤
//!  simctl ───┘                                      └─ faults, locks, Xid ring
//! ```
//!
//! Every process that loads the library maps the same file, so a limit set by one is seen by all
//! and survives the one's death, as on hardware. See README.md.

pub mod access;
pub mod cards;
pub mod clock;
pub mod code;
pub mod doorbell;
pub mod exports;
pub mod fault;
pub mod file;
pub mod latency;
pub mod layout;
pub mod operate;
pub mod physics;
pub mod senses;
pub mod session;
pub mod setters;
pub mod trace;
pub mod wild;
