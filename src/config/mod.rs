//! The configuration file: YAML in, a valid [`Config`] or all mistakes at once out. Everything in a
//! `Config` is in range and consistent; the rest of the program doesn't check it again.
//!
//! Reading order: [`types`] (the settings), `read` (the keys and the values that they accept),
//! `tree` (how mistakes are collected), `load` (from a file to a `Config`).

pub mod app;
pub mod gpu_name;
pub mod gpus;
pub(crate) mod lines;
mod load;
pub mod notify;
pub mod pull;
mod read;
pub mod sensor;
pub(crate) mod tree;
mod types;
pub(crate) mod yaml;

#[cfg(test)]
pub(crate) mod tests;

pub use crate::disk::login::Login;
pub use app::{AppConfig, EnvFileConfig, HttpConfig, Method, Modes};
pub use gpu_name::{GpuNames, WrongName};
pub use gpus::{GpuRef, GpuSelection, PciAddress};
pub use notify::{NotifyConfig, NotifyFormat, NotifyTarget, Weight};
pub use pull::PullConfig;
pub use sensor::SensorConfig;
pub use tree::error::{ConfigError, ConfigErrors, LoadError};
pub use types::{Actuators, AlertmanagerConfig, Config, HookConfig, Mode, OnExit, PolicyConfig};
