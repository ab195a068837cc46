//! Whether a card has a sensor at all: what it answers, over time.

use std::time::Duration;

use crate::device::Missing;
use crate::units::Moment;

use super::sensor::Doubt;

/// Whether a card has a sensor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Evidence {
    /// It has answered something other than "not supported".
    pub(super) offered: bool,
    pub(super) worked: bool,
    pub(super) missing: Option<Missing>,
    pub(super) doubt: Option<Doubt>,
    /// Failures in a row, but for refusals.
    pub(super) failures: u32,
    /// Since when it has been refused, and how often.
    pub(super) refused: Option<(Moment, u32)>,
}

/// A sensor that never worked is offered after so many failures in a row, and none after so many
/// refusals in so long.
const FAILURES: u32 = 2;
const REFUSES: u32 = 5;
const REFUSES_FOR: Duration = Duration::from_secs(10);

impl Evidence {
    /// One answer. A sensor that has worked is never an absence. One that hasn't is offered once it
    /// fails twice in a row with anything but "not supported", and is none again when it says just
    /// that for long.
    pub(super) fn note(&mut self, now: Moment, missing: Option<Missing>, in_turn: bool) {
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
            // Of a card that is gone, which says nothing of its sensors.
            Some(Missing::Lost) => return,
            Some(_) => {
                self.failures += u32::from(in_turn);
                self.offered |= self.failures >= FAILURES;
            }
        }
        self.refused = None;
    }

    /// Its first failure may be noise.
    pub(super) const fn is_pending(&self) -> bool {
        !self.offered && self.failures > 0
    }
}
