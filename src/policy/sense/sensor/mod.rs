//! One sensor of a card: its states ([`states`]), whether the card has it ([`evidence`]), whether
//! its readings are trusted ([`run`]), two faults that can be detected ([`still`], [`fall`]) by the
//! draw ([`draw`], [`meter`], [`moves`]), and all of that together ([`channel`]).

pub(crate) mod channel;
pub(crate) mod draw;
pub(crate) mod evidence;
pub(crate) mod fall;
pub(crate) mod meter;
mod moves;
mod ramp;
pub(crate) mod run;
pub(crate) mod states;
pub(crate) mod still;

pub use states::{BySensor, Doubt, Sensor, SensorReport, SensorState};
