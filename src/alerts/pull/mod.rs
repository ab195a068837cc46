//! Reads Alertmanager's active alerts, beside the hook or instead of it.
//!
//! The [`puller`] asks each [`client`], which reads a `listing` (`slim` cuts long alerts down); the
//! `verdict` applies it.

pub mod client;
pub mod counters;
pub mod error;
mod listing;
pub mod puller;
mod slim;
mod verdict;

pub use counters::PullCounters;
pub(crate) use puller::hear;
pub use puller::{Pull, Puller};
pub(crate) use slim::agrees;
