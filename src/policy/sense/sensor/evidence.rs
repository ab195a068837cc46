//! Whether a card has a sensor at all, by its answers over time.

use std::time::Duration;

use crate::device::Missing;
use crate::units::Moment;

use super::states::Doubt;

/// Whether a card has a sensor.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence {
    /// It has answered something other than "not supported".
    pub(crate) offered: bool,
    pub(crate) worked: bool,
    pub(crate) missing: Option<Missing>,
    pub(crate) doubt: Option<Doubt>,
    /// Failures in a row, not counting refusals.
    pub(crate) failures: u32,
    /// Since when the card has refused it, and how often.
    pub(crate) refused: Option<(Moment, u32)>,
}

/// A sensor that has never worked counts as offered after [`FAILURES`] in a row, and as not offered
/// after [`REFUSES`] refusals in [`REFUSES_FOR`].
const FAILURES: u32 = 2;
const REFUSES: u32 = 5;
const REFUSES_FOR: Duration = Duration::from_secs(10);

impl Evidence {
    /// Records one answer. A sensor that has worked is never absent. One that hasn't is offered
    /// once it fails twice in a row with anything but "not supported", and absent again if it is
    /// "not supported" for long.
    pub(crate) fn note(&mut self, now: Moment, missing: Option<Missing>, in_turn: bool) {
        self.missing = missing;
        match missing {
            None => {
                (self.offered, self.worked) = (true, true);
                self.failures = 0;
            }
            Some(Missing::NotSupported) => {
                self.failures = 0;
                let (since, answers) = *self.refused.get_or_insert((now, 0));
                let answers = answers + u32::from(in_turn);
                self.refused = Some((since, answers));
                let long = now.since(since) >= REFUSES_FOR && answers >= REFUSES;
                self.offered &= self.worked || !long;
                return;
            }
            // The card is gone, which tells nothing about its sensors.
            Some(Missing::Lost) => return,
            Some(_) => {
                self.failures += u32::from(in_turn);
                self.offered |= self.failures >= FAILURES;
            }
        }
        self.refused = None;
    }

    /// Its first failure may be noise.
    pub(crate) const fn is_pending(&self) -> bool {
        !self.offered && self.failures > 0
    }
}
