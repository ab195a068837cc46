//! What is known of a channel from outside its task.

use crate::policy::AppMode;

#[derive(Clone, Debug, Default)]
pub(in super::super) struct Progress {
    /// The number of the order that the app is known to follow.
    pub(in super::super) heard: u64,
    /// The same, with the journal on disk.
    pub(in super::super) finished: u64,
    /// The mode that it was last known to follow, even if nothing had to be said for it.
    pub(in super::super) heeded: Option<AppMode>,
    /// Anything was ever said.
    pub(in super::super) contacted: bool,
    pub(in super::super) ok: u64,
    pub(in super::super) failed: u64,
    /// `None`: the last attempt succeeded.
    pub(in super::super) error: Option<String>,
    /// Told something, and its health URL hasn't answered since. Never without such a URL.
    pub(in super::super) awaits_health: bool,
    /// Why not.
    pub(in super::super) health_error: Option<String>,
}

impl Progress {
    pub(super) fn heed(&mut self, order: u64, mode: AppMode, journaled: bool) {
        self.heard = order;
        self.heeded = Some(mode);
        if journaled {
            self.finished = order;
        }
    }
}
