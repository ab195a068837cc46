//! What the guard knows of a card's temperature: which sensors the card has, which of them can be
//! believed now, and how hot it is by those. One judgement, for a tick, for every way out, for
//! `restore` and for a guard that follows a dead one.
//!
//! Reading order: [`sensor`] (the states of one sensor), [`evidence`] (whether the card has it),
//! [`run`] (trusted, or not any more), [`still`] and [`fall`] (two lies that can be told),
//! [`channel`] (one sensor, all of that), [`slowdown`] (what the card's own slowdown says),
//! [`judge`] (all sensors).

mod channel;
mod evidence;
mod fall;
pub mod judge;
mod run;
pub mod sensor;
mod slowdown;
mod still;

pub use judge::{Judge, Judgement, View};
pub use sensor::{BySensor, Doubt, Sensor, SensorReport, SensorState};
