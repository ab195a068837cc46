//! Cards without a power limit to set: the governor turns the ceiling of the SM clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panic"
)]

mod plants;
mod scenes;
