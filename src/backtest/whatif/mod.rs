//! What the guard would have done: the worker and the policy that run on a node, in virtual time, over
//! a card that does what the recorded one did, until the guard takes power away. Then it cools by the
//! fitted resistance and time constants: only the difference in power goes through the fit.
//!
//! [`stretches`] finds the hot stretches: elsewhere a guard does nothing. [`course`] is the recorded
//! course of a stretch, second by second; [`gpu`] the card as the worker sees it; [`run`] plays them.

mod course;
mod gpu;
mod run;
mod stretches;

pub use run::{WhatIf, what_if};
