//! The conditions around a card.

use crate::sim::plant::Load;
use crate::units::{Celsius, Moment};

/// The conditions around a card at one moment.
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

/// The conditions around a card over time.
pub type Timeline = Box<dyn Fn(Moment) -> Conditions + Send>;
