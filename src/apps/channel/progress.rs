//! A channel's progress, as seen from outside its task.

use crate::policy::AppMode;

#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The number of the last order that the app is known to follow.
    pub(crate) heard: u64,
    /// The same, with the journal on disk.
    pub(crate) finished: u64,
    /// The mode that it is known to follow, even if no message was needed for it.
    pub(crate) heeded: Option<AppMode>,
    /// Whether it was ever told anything.
    pub(crate) contacted: bool,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// `None`: the last attempt succeeded.
    pub(crate) error: Option<String>,
    /// It was told something, and its health URL hasn't answered since. Never true without such a URL.
    pub(crate) awaits_health: bool,
    /// The health URL's error.
    pub(crate) health_error: Option<String>,
}

impl Progress {
    pub(crate) fn heed(&mut self, order: u64, mode: AppMode, journaled: bool) {
        self.heard = order;
        self.heeded = Some(mode);
        if journaled {
            self.finished = order;
        }
    }
}
