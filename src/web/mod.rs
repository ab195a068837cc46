//! What answers over HTTP.

pub mod basic_auth;
pub mod listen;
pub mod tls;
pub mod webconfig;
