//! The faults of real bad cards, as plain data and pure functions: any call gives any answer,
//! setters quantise, ignore or forget, sensors lag, stick or jump, and cards report wrong facts.
//!
//! Both simulators use them: the cards in process ([`crate::sim::card`]) and the simulated
//! `libnvidia-ml.so.1`, which keeps these structs in a file that its processes map. So every field
//! is a number at a fixed position, for which any bits are valid; there is no `bool` and no
//! `Option`. The time and the truth about a card are arguments.

mod answers;
mod call;
mod card;
mod number;
mod sensor;
mod setter;
mod told;

pub use answers::{Answer, Answers, Entry, Said};
pub use call::{Bound, Call};
pub use card::{CARD_ANSWERS, CardFaults, Fault, StuckEvents};
pub use number::{INVALID_ARGUMENT, NOT_SUPPORTED, bits, degrees};
pub use sensor::{Sense, Sensor};
pub use setter::{Pending, Setter};
pub use told::{Given, Told};

/// Answers kept for the machine.
pub const MACHINE_ANSWERS: usize = 16;
