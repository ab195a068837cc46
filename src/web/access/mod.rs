//! Who may do what: [`actuators`] hold a token or a client certificate, [`readers`] pass the web
//! configuration's password and rate limit.

pub mod actuators;
pub mod basic_auth;
pub(crate) mod file_check;
pub(crate) mod gate;
pub mod live_config;
pub mod readers;
mod rules;
pub mod token_file;
pub(crate) mod tokens;
pub mod webconfig;
