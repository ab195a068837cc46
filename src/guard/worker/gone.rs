//! A card that is gone heats nothing, and nothing runs on it: its applications needn't be slow for it
//! any more. One that is merely not seen, or away for a moment, keeps them slow.

use std::time::Duration;

use crate::device::DriverError;
use crate::policy::{AppMode, Decision};
use crate::units::Moment;

use super::Worker;

/// The driver itself says that it has lost the card or has no such one: for a few tries to open it, as
/// one odd answer proves nothing.
const SAID_FOR: Duration = Duration::from_secs(10);

/// Nobody says so: longer than a driver takes to be reloaded, or a card to be reset.
const CLOSED_FOR: Duration = Duration::from_secs(300);

/// Under an operator's pause: the same patience that the state has.
const PAUSED_FOR: Duration = Duration::from_secs(4);

/// Since when a card hasn't been open, and what the driver says of it.
#[derive(Debug, Default)]
pub(super) struct Absence {
    since: Option<Moment>,
    is_said: bool,
    is_logged: bool,
}

impl Absence {
    /// A try to open the card failed.
    pub(super) fn refused(&mut self, error: &DriverError) {
        self.is_said = matches!(error, DriverError::NoSuchGpu(_) | DriverError::GpuLost);
    }

    /// It wasn't open at the last tick.
    pub(super) const fn is_away(&self) -> bool {
        self.since.is_some()
    }

    fn lasts(&self, now: Moment, paused: bool) -> bool {
        let patience = match (paused, self.is_said) {
            (true, _) => PAUSED_FOR,
            (false, true) => SAID_FOR,
            (false, false) => CLOSED_FOR,
        };
        self.since.is_some_and(|since| now.since(since) >= patience)
    }
}

impl Worker {
    /// What the card's applications are told: what was decided, unless it is gone. `None`: nothing
    /// yet, as a guard before this one may have had its reasons.
    pub(super) fn app_mode(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Uuid;

    fn at(seconds: u64) -> Moment {
        Moment::START + Duration::from_secs(seconds)
    }

    fn away(error: Option<DriverError>) -> Absence {
        let mut absence = Absence {
            since: Some(at(1)),
            ..Absence::default()
        };
        if let Some(error) = error {
            absence.refused(&error);
        }
        absence
    }

    #[test]
    fn a_card_is_gone_after_a_while_and_sooner_if_the_driver_says_so() {
        let lost = away(Some(DriverError::GpuLost));
        let unknown = away(Some(DriverError::NoSuchGpu(Uuid::new("GPU-1"))));
        let silent = away(Some(DriverError::DriverNotLoaded));
        for (absence, patience) in [(&lost, 10), (&unknown, 10), (&silent, 300)] {
            assert!(!absence.lasts(at(patience), false), "{absence:?}");
            assert!(absence.lasts(at(1 + patience), false), "{absence:?}");
            assert!(!absence.lasts(at(4), true) && absence.lasts(at(5), true));
        }
        assert!(!Absence::default().lasts(at(1000), true), "it is there");
    }
}
