//! One GPU's control loop: its [`thread`], the [`worker`] that ticks on it, its extra [`sensors`], and
//! [`liveness`], which tells other threads whether it still ticks.

pub mod changes;
pub mod liveness;
pub mod preflight;
pub mod sensors;
pub(crate) mod thread;
pub mod worker;
