//! The real workers and the real policy over simulated cards, in virtual time: no clock is read, and
//! nothing here depends on how fast or how busy this machine is.

#[path = "../common/mod.rs"]
mod common;

mod any_plant;
mod bad_cards;
mod by_clock;
mod chains;
mod cooling;
mod fans;
mod fans_first;
mod firmware;
mod governed;
mod guard;
mod measured;
mod neighbours;
mod plants;
mod properties;
mod recordings;
mod sensors;
mod simulation;
mod smoothing;
