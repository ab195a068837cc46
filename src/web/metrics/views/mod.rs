//! The metrics that are views of a snapshot.

pub(super) mod actions;
pub(super) mod cooling;
pub(super) mod device_events;
pub(super) mod evidence;
pub(super) mod families;
pub(super) mod fans;
pub(super) mod gpu;
pub(super) mod guard;
pub(super) mod per_gpu;
pub(super) mod process;
mod samples;
pub(super) mod service;
