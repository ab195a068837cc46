//! What comes from outside as it comes: alerts with odd labels, chains at odd paces, files of others,
//! applications that restart. Each finding once more, at the real program over the simulated library.
//!
//! `THERMAL_GUARD_TEST_BINARY` tries another program. What the card itself does is in `tests/findings/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panic, time things by the wall, and start programs"
)]
#![allow(dead_code, reason = "helpers that other tests use")]

#[path = "../common/mod.rs"]
mod common;

mod alerts;
mod applications;
mod deliveries;
mod env_files;
mod files;
mod flags_file;
mod forgetful;
mod gone;
mod hung;
mod indexes;
mod kinds;
mod late_journal;
mod locks;
mod logs;
mod night;
mod node_names;
mod owners;
mod passwords;
mod persistence;
mod reload;
mod reloading;
mod restarts;
mod scene;
mod secrets;
mod sending;
mod shared_places;
mod smoke;
mod watchdog;
