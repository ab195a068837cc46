//! Simulated GPUs in process: the thermal model behind the same traits as NVML.
//!
//! `serve --simulate`, the policy's tests and `simulate` stand on it. Time is an argument here as
//! well: a card catches up with the moment it is asked at, so a day passes as fast as it is asked
//! for, and two runs of one scenario are the same.
//!
//! What can be wrong with a card is [`Fault`], of the card as a whole, and [`CardFaults`], of its
//! calls, setters and sensors; what with the machine, [`Rack::answers`] and [`Rack::set_order`]. Of
//! the calls that can be told what to answer, those that nobody makes in process answer nothing:
//! video clock, memory, ECC, index, persistence mode, driver version.
//!
//! ```text
//! card      what is true of a card: physics, settings, what is wrong with it
//! reading   what it says
//! writing   what it takes
//! facts     who it is, and its constants
//! rack      the node's cards as a driver
//! ```

mod card;
mod facts;
mod rack;
mod reading;
#[cfg(test)]
mod tests;
mod writing;

use crate::units::{Celsius, Moment};

use super::plant::Load;

pub use super::faults::CardFaults;
pub use card::Card;
pub use rack::Rack;

/// The world around a card at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    pub load: Load,
    pub inlet: Celsius,
    pub airflow_resistance: f64,
    pub hbm_resistance: f64,
}

impl Conditions {
    /// A card at full load in a room of `inlet`.
    pub const fn full_load(inlet: Celsius) -> Self {
        Self {
            load: Load::FULL,
            inlet,
            airflow_resistance: 1.0,
            hbm_resistance: 1.0,
        }
    }
}

/// What a card's world is like, over time.
pub type World = Box<dyn Fn(Moment) -> Conditions + Send>;

/// What is wrong with a card as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// Off the bus.
    Lost,
    /// Temperature reads fail.
    NoTemperature,
    /// The last temperature for ever.
    FrozenTemperature,
    NoPermission,
}
