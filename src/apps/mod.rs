//! Tells applications to slow down, and to go on. The workers only state what they want. The delivery
//! (files, requests, retries) runs in a task of its own for each file and each URL, so an app that
//! hangs delays nothing else.
//!
//! [`Apps`] owns all of this for as long as the guard runs; a reload gives it another list.

mod channel;
pub mod envfile;
mod http;
mod journal;
mod late;
mod means;
mod owner;
mod record;
mod roster;
mod state;
mod status;

#[cfg(test)]
mod tests;

pub use owner::Apps;
pub use status::{AppStatus, Unknown};
