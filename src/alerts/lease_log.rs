//! Log lines about leases that begin and end with alerts.

use std::time::Duration;

use crate::log_limit::LogLimit;
use crate::policy::Level;

/// Each kind has a limit of its own, so that a storm of gradual alerts hides no emergency.
pub(super) struct LeaseLog {
    gradual: LogLimit,
    emergency: LogLimit,
    pub(super) ended: LogLimit,
}

impl Default for LeaseLog {
    fn default() -> Self {
        // Chosen: an incident on eight GPUs is logged whole, and a storm fills no disk.
        let lines = || LogLimit::new(20, Duration::from_secs(60));
        Self {
            gradual: lines(),
            emergency: lines(),
            ended: lines(),
        }
    }
}

impl LeaseLog {
    pub(super) fn began(&self, level: Level) -> &LogLimit {
        match level {
            Level::Emergency => &self.emergency,
            Level::Gradual | Level::None => &self.gradual,
        }
    }
}
