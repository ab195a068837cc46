//! The applications, as the guard speaks to them.

use std::sync::Arc;

use crate::apps::Apps;
use crate::device::Identity;
use crate::policy::AppMode;

/// Passes on what a worker wants of the applications on its GPU. Must not block.
pub trait Applications: Send + Sync {
    /// Tells the applications on a GPU. True: they are well. Those with a health URL have answered
    /// it since they were last told something.
    fn tell(&self, gpu: &Arc<Identity>, mode: AppMode) -> bool;

    /// Which GPUs are there to be guarded.
    fn list(&self, gpus: &[Arc<Identity>]);
}

impl Applications for Apps {
    fn tell(&self, gpu: &Arc<Identity>, mode: AppMode) -> bool {
        self.wish(gpu, mode);
        self.are_well(gpu)
    }

    fn list(&self, gpus: &[Arc<Identity>]) {
        Self::list(self, gpus);
    }
}

/// No application is configured.
pub(super) struct NoApplications;

impl Applications for NoApplications {
    fn tell(&self, _: &Arc<Identity>, _: AppMode) -> bool {
        true
    }

    fn list(&self, _: &[Arc<Identity>]) {}
}
