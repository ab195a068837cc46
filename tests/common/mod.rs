//! What end-to-end tests have in common.

pub(crate) mod chain;
