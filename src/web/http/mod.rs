//! Connections and bodies: listeners, sockets, TLS, size limits, refusals.

pub(crate) mod body;
pub mod listen;
pub mod peer;
pub(crate) mod refusal;
pub mod socket;
pub mod tls;
