//! The evidence on each knob of a card: whether it is there, takes values, and has an effect. The plan
//! uses the knobs that work. A knob that doesn't work leaves the plan within ticks, and is tried again
//! later.
//!
//! `state` has the types, `trial` counts one knob's failures, `effect` compares the card with its
//! settings, and `judge` joins these for all knobs.

mod effect;
mod judge;
mod state;
mod trial;

pub(crate) use effect::{AtEnd, Evidence};
pub(crate) use judge::Knobs;
pub use state::{GRAIN, KnobReport, KnobState, Means, Outcome, Write};

#[cfg(test)]
mod tests;
