//! The service around the control loops: its names, its mode, its applications.

use std::time::Duration;

use crate::alerts::heard::Names;
use crate::apps::AppStatus;
use crate::config::Mode;
use crate::policy::AppMode;

/// The service around the control loops.
#[derive(Clone, Debug, Default)]
pub struct ServiceView {
    /// The kernel's name of this machine.
    pub node: String,
    /// All names by which an alert may call it.
    pub names: Vec<String>,
    /// The names in heartbeats.
    pub heard: Names,
    pub mode: Mode,
    /// The GPUs are simulated.
    pub simulated: bool,
    /// The file of its configuration; `None`: all defaults.
    pub configuration: Option<ConfigurationView>,
    pub apps: Vec<AppView>,
}

/// The configuration in force.
#[derive(Clone, Debug)]
pub struct ConfigurationView {
    pub file: String,
    /// When it was read, since the Unix epoch.
    pub read: Duration,
}

/// One application.
#[derive(Clone, Debug)]
pub struct AppView {
    pub status: AppStatus,
    /// Whether its `env_file` could be written, or why not; `None` without one.
    pub env_file: Option<Result<(), String>>,
}

/// How slow an application was last told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Normal,
    Gradual,
    Emergency,
}

impl Told {
    pub const ALL: [Self; 3] = [Self::Normal, Self::Gradual, Self::Emergency];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Gradual => "gradual",
            Self::Emergency => "emergency",
        }
    }
}

impl AppView {
    /// An application that was never told anything is at its normal speed.
    pub fn told(&self) -> Told {
        match self.status.told.unwrap_or_default() {
            AppMode::Normal => Told::Normal,
            AppMode::Gradual | AppMode::GradualBatch => Told::Gradual,
            AppMode::Emergency => Told::Emergency,
        }
    }
}
