//! What the views show of the service around the control loops: plain numbers, which the parts of
//! the service fill in.

use std::time::Duration;

use super::heard::Names;
pub use super::pull::PullSnapshot;

/// What the views show of the service around the control loops.
#[derive(Clone, Debug, PartialEq)]
pub struct Extra {
    /// What the kernel calls this machine.
    pub node: String,
    /// All that an alert may call it.
    pub names: Vec<String>,
    /// What heartbeats called theirs.
    pub heard: Names,
    /// `enforce` or `observe`.
    pub mode: &'static str,
    /// The GPUs are simulated.
    pub simulated: bool,
    /// Of the sampling's clock.
    pub poll_interval: Duration,
    pub hook: HookSnapshot,
    pub pull: PullSnapshot,
    pub apps: Vec<AppSnapshot>,
    pub reload: ReloadStatus,
}

impl Default for Extra {
    fn default() -> Self {
        Self {
            node: String::new(),
            names: Vec::new(),
            heard: Names::default(),
            mode: "enforce",
            simulated: false,
            poll_interval: Duration::from_secs(1),
            hook: HookSnapshot::default(),
            pull: PullSnapshot::default(),
            apps: Vec::new(),
            reload: ReloadStatus::default(),
        }
    }
}

/// The hook's counters. Every label value is one of the hook's own words, never the sender's; what
/// is to exist at 0 from the start is listed with 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HookSnapshot {
    /// By HTTP status code.
    pub requests: Vec<(u16, u64)>,
    pub alerts: Vec<AlertCount>,
    /// By reason.
    pub auth_failures: Vec<(&'static str, u64)>,
    pub truncated_alerts: u64,
    pub durations: DurationHistogram,
    /// Since the Unix epoch.
    pub last_success: Option<Duration>,
}

/// Alerts that came to one result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertCount {
    /// `firing` or `resolved`.
    pub status: &'static str,
    pub action: &'static str,
    pub result: &'static str,
    pub count: u64,
}

/// How long requests took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationHistogram {
    /// Upper bound in seconds and requests in this bucket alone, in rising order; the last bound
    /// is `f64::INFINITY`. Empty: not measured.
    pub buckets: Vec<(f64, u64)>,
    pub sum_seconds: f64,
}

/// One application's notifications.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppSnapshot {
    /// As configured.
    pub name: String,
    /// What it was last told.
    pub mode: &'static str,
    pub ok: u64,
    pub failed: u64,
    /// Its health URL has answered since it was last told something; `None` without such a URL.
    pub well: Option<bool>,
    /// Whether its `env_file` could be written, or why not; `None` without one.
    pub file: Option<Result<(), String>>,
}

/// How the configuration in force came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadStatus {
    /// The last attempt took.
    pub successful: bool,
    /// Since the Unix epoch, of the last one that took.
    pub last_success: Option<Duration>,
}

impl Default for ReloadStatus {
    fn default() -> Self {
        Self {
            successful: true,
            last_success: None,
        }
    }
}
