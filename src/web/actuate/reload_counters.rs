//! How the last reload went, for `/metrics`.

use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;

use crate::registry::{Registry, Seconds, register};

/// How the configuration in force was read.
pub struct ReloadCounters {
    successful: Gauge,
    last_success: Seconds,
}

impl ReloadCounters {
    /// The configuration that the guard starts with counts as well. `at`: since the Unix epoch.
    pub fn started(at: Duration) -> Self {
        let counters = Self {
            successful: Gauge::default(),
            last_success: Seconds::default(),
        };
        counters.count(true, at);
        counters
    }

    pub fn register(&self, registry: &mut Registry) {
        register(
            registry,
            "thermal_guard_config_last_reload_successful",
            "1 if the configuration was read without a mistake the last time.",
            self.successful.clone(),
        );
        register(
            registry,
            "thermal_guard_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, in seconds since the Unix epoch.",
            self.last_success.clone(),
        );
    }

    /// When the configuration in force was read, since the Unix epoch.
    pub fn last_success(&self) -> Duration {
        Duration::try_from_secs_f64(self.last_success.get()).unwrap_or_default()
    }

    /// `at`: when the reading began, since a later change of the file isn't in force.
    pub fn count(&self, ok: bool, at: Duration) {
        self.successful.set(i64::from(ok));
        if ok {
            self.last_success.set(at.as_secs_f64());
        }
    }
}
