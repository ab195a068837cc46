//! A card's thermal resistance and time constants, fitted to samples of its power and temperature.
//! Batch work over a recorded history: [`series`] is what goes in, [`filter`] lets the power act with
//! a delay, [`gram`] keeps the sums of squares, [`solve`] finds the resistances, [`fit`] chooses the
//! time constants, [`check`] tests them on a part that wasn't used, [`found`] is what comes of it.
//!
//! The temperature is an offset (the air, unknown) plus the power's effect through at most three
//! masses: one that follows at once, one within a minute or two, one within several.

mod check;
mod drive;
mod filter;
mod fit;
mod found;
mod gram;
mod series;
mod solve;

pub use filter::Filter;
pub use fit::fit;
pub use found::{Fit, Modes, Unfit};
pub use series::{Point, Series};
