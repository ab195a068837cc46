//! Requests from outside: [`lease`]s, the [`budget`] that limits them, and the alert [`chain`],
//! which tells whether an alert would arrive at all.

pub mod budget;
pub mod chain;
pub mod lease;
