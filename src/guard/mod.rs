//! The imperative shell around the policy.

pub mod apps;
pub mod envfile;
pub(crate) mod replace;
