//! The write-ahead journal: what the guard holds on a GPU, on disk before it is on the GPU.
//!
//! One small file per GPU in `<state.dir>/gpus`, replaced as a whole (write, fsync, rename, fsync of
//! the directory): [`Entry`] is its content, `record` its form on disk, `files` reads and replaces it.
//! [`Journal`] writes on a thread of its own, because a disk can hang. [`JournalDirs`] names the
//! directories: an entry that the state directory refuses goes to the lock directory.

mod dirs;
mod entry;
mod error;
mod files;
mod lock_records;
mod record;
mod spare;
#[cfg(test)]
mod tests;
mod writer;

pub use dirs::JournalDirs;
pub(crate) use entry::shows_fans;
pub use entry::{Entry, Reason, boot_id};
pub use error::JournalError;
pub(crate) use files::load_whenever;
pub use files::{load, load_all};
pub use writer::{Journal, Written};
