//! The part of the configuration that a reload can change under a running guard.

use std::time::Duration;

use crate::config::{GpuSelection, SensorConfig};
use crate::device::{ClockRange, Identity};
use crate::policy::Settings;

/// Replaced as a whole by a reload. Workers notice by the pointer.
pub struct Live {
    pub settings: Settings,
    pub poll_interval: Duration,
    /// Everything is decided and nothing is written. A reload doesn't change this.
    pub observes: bool,
    /// The GPUs to guard. A GPU that a reload takes out gets everything back first.
    pub gpus: GpuSelection,
    /// For each application, the GPUs that it is told about.
    pub apps: Vec<GpuSelection>,
    /// Sensors beside the cards' own.
    pub sensors: Vec<SensorConfig>,
    /// An operator's own SM lock, put back instead of a reset.
    pub restore_clock: Option<ClockRange>,
    pub keep_on_exit: bool,
}

/// An empty configuration.
impl Default for Live {
    fn default() -> Self {
        Self {
            settings: Settings::default(),
            poll_interval: Duration::from_secs(1),
            observes: false,
            gpus: GpuSelection::All,
            apps: Vec::new(),
            sensors: Vec::new(),
            restore_clock: None,
            keep_on_exit: false,
        }
    }
}

impl Live {
    /// Whether a GPU is to be guarded.
    pub fn selects(&self, gpu: &Identity) -> bool {
        self.gpus.matches(gpu)
    }

    /// Whether an application is told about a GPU.
    pub fn has_app(&self, gpu: &Identity) -> bool {
        self.apps.iter().any(|gpus| gpus.matches(gpu))
    }
}
