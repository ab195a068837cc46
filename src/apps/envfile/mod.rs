//! Sets one variable in an environment file that belongs to another program, and restores the original
//! value. Nothing but that value changes, not one byte: comments, order, quotes, `export`, CRLF, mode
//! and owner stay.

mod access;
mod busy;
mod change;
pub(crate) mod edit;
mod error;
mod mounts;
mod read;
mod scan;
mod words;

#[cfg(test)]
mod tests;

pub use access::{could_edit, drop_in, hidden_by, remedy};
pub use change::{Done, Edit, EnvFileCheck, give_back, look, take};
pub use edit::Taken;
pub use error::EnvFileError;
pub use mounts::Mounted;
pub use scan::Unclear;
