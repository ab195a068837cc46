//! Edits the text of an environment file: sets another value, and restores the original byte for byte.

mod line;
mod quotes;
mod rewrite;
mod taken;
#[cfg(test)]
mod tests;

pub(crate) use rewrite::{give_back, take};
pub use taken::Taken;
