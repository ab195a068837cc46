//! The ceiling of the SM clock as a dial, for a card without a power limit: [`ceiling`] is the dial,
//! [`supported`] the clocks to choose from, [`law`] how the draw follows the clock, and
//! [`full_draw`] how much the card can draw at all.

pub mod ceiling;
mod full_draw;
mod law;
mod supported;
