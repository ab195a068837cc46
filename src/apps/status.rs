//! One application as metrics, the status API and `restore` show it.

use crate::config::GpuSelection;
use crate::policy::AppMode;

use super::channel::Handle;

/// Why it is unknown what an earlier guard told the apps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The file couldn't be read yet; reading is retried.
    Unread(String),
    /// The file isn't a journal.
    Foreign(String),
}

/// One application, for metrics and the status API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppStatus {
    pub name: String,
    pub wanted: AppMode,
    /// The mode that it follows; with two ways to tell it, the mode that it got by both. `None`: it was
    /// never told anything.
    pub told: Option<AppMode>,
    pub last_error: Option<String>,
    pub notifications_ok: u64,
    pub notifications_failed: u64,
    /// The GPUs that it runs on.
    pub gpus: GpuSelection,
    /// Whether it has answered its health URL since the last change of mode; `None` without such a URL.
    pub well: Option<bool>,
}

/// Of a channel whose app isn't configured any more.
pub(crate) fn alone(handle: &Handle) -> AppStatus {
    let name = handle.orders.borrow().app.clone();
    status(name, AppMode::Normal, &[handle])
}

pub(crate) fn status(name: String, wanted: AppMode, channels: &[&Handle]) -> AppStatus {
    let mut status = AppStatus {
        name,
        wanted,
        told: None,
        last_error: None,
        notifications_ok: 0,
        notifications_failed: 0,
        gpus: GpuSelection::All,
        well: None,
    };
    let progress: Vec<_> = channels
        .iter()
        .map(|channel| channel.progress.borrow().clone())
        .collect();
    if progress.iter().any(|channel| channel.contacted) {
        status.told = progress.iter().filter_map(|channel| channel.heeded).min();
    }
    // Whatever else is unknown, it isn't normal.
    let left = channels.iter().filter_map(|channel| channel.left_in());
    status.told = left.max().or(status.told);
    for channel in progress {
        status.last_error = status.last_error.or(channel.error).or(channel.health_error);
        status.notifications_ok += channel.ok;
        status.notifications_failed += channel.failed;
    }
    status
}
