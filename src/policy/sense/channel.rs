//! One thermal sensor: what it says, and whether that is believed.

use std::time::Duration;

use crate::device::Missing;
use crate::units::{Celsius, Moment};

use super::evidence::Evidence;
use super::fall::Fall;
use super::run::{Run, Trust};
use super::sensor::Doubt;
use super::still::Still;

/// One thermal sensor.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) evidence: Evidence,
    pub(super) run: Run,
    pub(super) still: Still,
    pub(super) fall: Fall,
}

/// What one thermal sensor comes to on a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) absent: bool,
    pub(super) worked: bool,
    pub(super) trust: Trust,
    /// In range, whether it is believed or not.
    pub(super) value: Option<Celsius>,
}

/// What a sensor's reading is compared with.
pub(super) struct Surroundings {
    pub(super) average: Option<f64>,
    /// The highest average of the last seconds.
    pub(super) lately: Option<f64>,
    pub(super) scale: f64,
    pub(super) holds_itself: bool,
    pub(super) explains_falls: bool,
}

impl Channel {
    pub(super) const fn new(stands: Duration) -> Self {
        Self {
            evidence: Evidence {
                offered: false,
                worked: false,
                missing: None,
                doubt: None,
                failures: 0,
                refused: None,
            },
            run: Run::NEW,
            still: Still::new(stands),
            fall: Fall::NEW,
        }
    }

    pub(super) fn read(
        &mut self,
        now: Moment,
        said: Result<Celsius, Missing>,
        in_turn: bool,
        around: &Surroundings,
    ) -> Part {
        self.evidence.note(now, said.err(), in_turn);
        let absent = !self.evidence.offered && !self.evidence.is_pending();
        if absent {
            self.run = Run::NEW;
        }
        let value = said.ok();
        let trust = match value {
            _ if absent => Trust::Clear,
            None => {
                self.evidence.doubt = Some(Doubt::Missing);
                self.run.bad(now, in_turn)
            }
            Some(value) => match self.lie(now, value, around) {
                Some(doubt) => {
                    self.evidence.doubt = Some(doubt);
                    self.run.bad(now, in_turn)
                }
                None => self.run.good(now, in_turn, value),
            },
        };
        if trust == Trust::Clear {
            self.evidence.doubt = None;
        }
        Part {
            absent,
            worked: self.evidence.worked,
            trust,
            value,
        }
    }

    pub(super) fn lie(
        &mut self,
        now: Moment,
        value: Celsius,
        around: &Surroundings,
    ) -> Option<Doubt> {
        let (average, scale) = (around.average, around.scale);
        let fallen = self
            .fall
            .is_fallen(now, value, average, around.explains_falls, scale);
        let frozen = if let Some(average) = average.filter(|_| !around.holds_itself) {
            let lately = around.lately.unwrap_or(average);
            self.still.is_frozen(now, value, average, lately, scale)
        } else {
            self.still.reset();
            false
        };
        if frozen {
            // What comes after it has nothing to fall from.
            self.fall = Fall::NEW;
        }
        match (fallen, frozen) {
            (true, _) => Some(Doubt::Fallen),
            (false, true) => Some(Doubt::Frozen),
            (false, false) => None,
        }
    }
}

impl Part {
    pub(super) fn believed(self) -> Option<Celsius> {
        self.value
            .filter(|_| self.trust == Trust::Clear && !self.absent)
    }
}
