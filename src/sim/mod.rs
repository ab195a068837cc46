//! Simulated GPUs behind the driver's traits: the thermal model ([`plant`], [`profile`]), their
//! [`fans`], [`card`]s with any of the [`faults`] of real ones, loads that come and go ([`pattern`]), the
//! air of a [`chassis`], a whole [`node`] in virtual time, and the [`scenarios`] that `simulate` plays.

pub mod card;
pub mod chassis;
pub(crate) mod demo;
pub mod fans;
pub mod faults;
pub mod node;
pub mod pattern;
pub mod plant;
pub mod profile;
pub(crate) mod random;
pub mod scenarios;
