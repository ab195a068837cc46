//! The policy's types: its configuration ([`settings`]), its input ([`observation`]), its output
//! ([`decision`]), and the values to set on a GPU ([`targets`]).

pub mod decision;
pub mod observation;
pub mod settings;
pub mod targets;
