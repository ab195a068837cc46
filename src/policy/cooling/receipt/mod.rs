//! What a throttle cost, and what doing nothing would have cost.

mod curve;
mod ledger;
mod twin;

pub use ledger::{Hold, Ledger, Receipt, Turn, Unguarded, Work};
