//! How well a card is cooled, what it can draw for good, and what a throttle cost: each estimate against
//! the truth of the simulated plant. `make cooling` runs a month of it, and many times as many plants.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panic"
)]

mod any_card;
mod health;
mod hostile;
mod receipts;
mod room;
mod sustainable;
