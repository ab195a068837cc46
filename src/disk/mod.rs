//! Reads and writes files safely: bounded reads that no pipe or device can block, replacement that
//! survives a crash, credentials, CA files, and locks: one per GPU, and one
//! per state directory.

pub(crate) mod atomic_file;
pub(crate) mod bounded_read;
pub mod ca_file;
pub(crate) mod credential;
pub(crate) mod dir;
pub mod gpu_lock;
pub(crate) mod lock_file;
pub(crate) mod login;
pub(crate) mod patience;
pub(crate) mod state_lock;

pub(crate) use bounded_read::{MAX_BYTES, NotAFile, open, opened, read, read_text, text, whole};
pub(crate) use dir::Dir;
pub(crate) use patience::{JOURNAL_PATIENCE, Pending, begin, is_late, patiently};
