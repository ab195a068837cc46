//! Whether a webhook is still the one of the configuration, for its thread, which may be waiting for an
//! answer when a reload names another.

use std::sync::Arc;

use parking_lot::Mutex;

#[derive(Clone, Debug)]
pub(super) struct Current(Arc<Mutex<bool>>);

impl Default for Current {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(true)))
    }
}

impl Current {
    /// From here on it isn't. Waits for what [`Self::if_still`] does.
    pub(super) fn retire(&self) {
        *self.0.lock() = false;
    }

    pub(super) fn if_still(&self, act: impl FnOnce()) {
        let is_current = self.0.lock();
        if *is_current {
            act();
        }
    }
}
