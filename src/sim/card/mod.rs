//! Simulated GPUs in process: the thermal model behind the same traits as real drivers.
//!
//! `serve --simulate`, the policy's tests and `simulate` use them. Time is an argument here as well:
//! a card catches up to the moment of each call, so a day passes as fast as it is computed, and two
//! runs of one scenario are the same.
//!
//! A card can have a [`Fault`] as a whole, and [`CardFaults`] of its calls, setters and sensors. The
//! machine's faults are [`Rack::answers`] and [`Rack::set_order`]. An answer can be set for any
//! call, but has no effect on the calls that no code makes in process: video clock, memory, ECC,
//! index, persistence mode, driver version.
//!
//! ```text
//! conditions  the load and the air around a card
//! truth       the true state of a card: physics, settings, faults
//! identity    its UUID, index and names
//! reading     the readings it gives
//! writing     the writes it accepts
//! facts       the constants it gives
//! rack        the node's cards as a driver
//! ```

pub mod conditions;
mod facts;
mod identity;
mod rack;
mod reading;
#[cfg(test)]
mod tests;
mod truth;
mod writing;

pub use super::faults::{CardFaults, Fault};
pub use conditions::{Conditions, Timeline};
pub use rack::Rack;
pub use truth::Card;
