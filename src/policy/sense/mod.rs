//! What the guard knows of a card's temperature: which sensors the card has, which of them are
//! trusted now, and how hot the card is by those. There is one judgement for a tick, for every way
//! out, for `restore`, and for a guard that follows a dead one.
//!
//! Reading order: [`sensor`] (one sensor), [`extra_sensor`] (sensors beside the card's own),
//! [`trips`] (the thresholds), [`slowdown`] (the card's own slowdown as a sensor), [`firmware`] (and as
//! something that people should know), [`judgement`] (the result), [`judge`] (all sensors over time),
//! [`combined`] (all sensors at one moment), [`fans`] (fans that don't do what a hot card needs).

mod combined;
pub mod extra_sensor;
pub mod fans;
pub mod firmware;
pub mod judge;
pub mod judgement;
pub mod sensor;
mod slowdown;
pub mod trips;

pub use fans::{FanFault, SuspectFans};
pub use firmware::{FirmwareReport, OwnSlowdown, SlowdownTurn};
pub use judge::Judge;
pub use judgement::{Judgement, View};
pub use sensor::{BySensor, Doubt, Sensor, SensorReport, SensorState};
