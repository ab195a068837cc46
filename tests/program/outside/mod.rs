//! Input from outside, as it really comes: alerts with odd labels, chains at odd paces, other people's
//! files, applications that restart. Each test repeats one mistake that was found, with the real
//! program over the simulated library.
//!
//! `THERMAL_GUARD_TEST_BINARY` tries another program. Faults of the card are in
//! `tests/program/findings/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panic, time things by the wall, and start programs"
)]
#![allow(dead_code, reason = "helpers that other tests use")]

mod alerts;
mod applications;
mod deliveries;
mod env_files;
mod files;
mod flags_file;
mod forgetful;
mod gone;
mod handed_over;
mod hung;
mod indexes;
mod kinds;
mod late_journal;
mod library;
mod locks;
mod logs;
mod night;
mod node_names;
mod notify;
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
