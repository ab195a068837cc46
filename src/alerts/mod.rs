//! What alerts mean to this guard, however they arrive: pushed to the hook or fetched by a [`pull`].
//!
//! An [`alert`] is read; its labels say what it asks for and name its [`target`]; the [`desk`]
//! applies it ([`apply`]): a lease is granted, renewed or ended, and the [`outcome`] says which.
//! `trouble`, `heard`, `possible` and `lease_log` tell people why nothing came of it, or what did.

mod alert;
mod apply;
pub mod desk;
pub(crate) mod heard;
mod lease_log;
mod outcome;
mod possible;
pub mod pull;
pub mod target;
mod trouble;

pub(crate) use alert::Alert;
pub use desk::{Desk, Settings};
pub use heard::Names;
pub(crate) use outcome::Via;
pub use outcome::{Action, Outcome, Status};
pub(crate) use trouble::{Beside, STOPPING, Trouble};
