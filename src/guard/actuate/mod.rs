//! Writes to a card. Each write is in the [`journal`] before it is made, and is read back if it can
//! be. [`takeover`] continues where a dead guard stopped.

pub mod actuation;
mod claiming;
mod clock;
mod fans;
pub mod journal;
pub mod limit;
mod limit_write;
mod memory;
mod permission;
pub mod takeover;
mod tries;
pub(crate) mod unread;
