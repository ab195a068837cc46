//! When a card counts as gone. Nothing runs on a card that is gone, so its applications needn't be
//! slow for it any more. A card that just can't be read, or is away for a moment, keeps them slow.

use std::time::Duration;

use crate::device::DriverError;
use crate::units::Moment;

/// The driver says that it has lost the card, or has no such card: for a few tries to open it, as one
/// odd answer proves nothing.
const SAID_FOR: Duration = Duration::from_secs(10);

/// The driver says neither: longer than a reload of the driver or a reset of the card takes.
const CLOSED_FOR: Duration = Duration::from_secs(300);

/// During an operator's pause: as long as the state waits, too.
const PAUSED_FOR: Duration = Duration::from_secs(4);

/// Since when a card hasn't been open, and what the driver says of it.
#[derive(Debug, Default)]
pub(crate) struct Absence {
    pub(super) since: Option<Moment>,
    pub(super) is_said: bool,
    pub(super) is_logged: bool,
}

impl Absence {
    /// A try to open the card failed.
    pub(crate) fn refused(&mut self, error: &DriverError) {
        self.is_said = matches!(
            error,
            DriverError::NoSuchGpu { .. } | DriverError::GpuLost(_)
        );
    }

    /// The card wasn't open at the last tick.
    pub(crate) const fn is_away(&self) -> bool {
        self.since.is_some()
    }

    pub(super) fn lasts(&self, now: Moment, paused: bool) -> bool {
        let patience = match (paused, self.is_said) {
            (true, _) => PAUSED_FOR,
            (false, true) => SAID_FOR,
            (false, false) => CLOSED_FOR,
        };
        self.since.is_some_and(|since| now.since(since) >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Uuid, nvml};

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
        let lost = away(Some(DriverError::GpuLost(nvml::code(15))));
        let unknown = away(Some(nvml::no_such_gpu(&Uuid::new("GPU-1"))));
        let silent = away(Some(DriverError::DriverNotLoaded(nvml::code(9))));
        for (absence, patience) in [(&lost, 10), (&unknown, 10), (&silent, 300)] {
            assert!(!absence.lasts(at(patience), false), "{absence:?}");
            assert!(absence.lasts(at(1 + patience), false), "{absence:?}");
            assert!(!absence.lasts(at(4), true) && absence.lasts(at(5), true));
        }
        assert!(
            !Absence::default().lasts(at(1000), true),
            "the card is there"
        );
    }
}
