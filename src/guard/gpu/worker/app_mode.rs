//! The mode of the card's applications.

use crate::policy::{AppMode, Decision};
use crate::units::Moment;

use super::gone::Absence;
use super::state::Worker;

impl Worker {
    /// The mode for the card's applications: the decided one, or normal if the card is gone. `None`:
    /// tell them nothing yet, as a guard before this one may have had its reasons to slow them.
    pub(crate) fn app_mode(
        &mut self,
        now: Moment,
        decision: &Decision,
        paused: bool,
    ) -> Option<AppMode> {
        let decided = decision.targets.app;
        let (gpu, uuid) = (self.identity.index, self.identity.uuid.as_str());
        if self.gpu.is_some() {
            self.absence = Absence::default();
            let knows_all = self.policy.is_some() && self.left.is_none() && self.unread.is_none();
            return (knows_all || decided > AppMode::Normal).then_some(decided);
        }
        self.absence.since.get_or_insert(now);
        if !self.absence.lasts(now, paused) {
            return self.policy.is_some().then_some(decided);
        }
        if !std::mem::replace(&mut self.absence.is_logged, true) && decided > AppMode::Normal {
            tracing::warn!(
                gpu,
                uuid,
                "the GPU is gone: its applications aren't kept slow for it any more; see dmesg and nvidia-smi, it may need a reset"
            );
        }
        Some(AppMode::Normal)
    }
}
