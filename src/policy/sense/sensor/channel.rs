//! One thermal sensor: its reading, and whether it is trusted.

use std::time::Duration;

use crate::device::Missing;
use crate::units::{Celsius, Moment, Ratio};

use super::evidence::Evidence;
use super::fall::Fall;
use super::meter::Meter;
use super::run::{Run, Trust};
use super::states::Doubt;
use super::still::{Signs, Still, Stillness};

/// One thermal sensor.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) evidence: Evidence,
    pub(crate) run: Run,
    pub(crate) still: Still,
    pub(crate) fall: Fall,
    /// Its reading should have moved by now. It still counts, but nothing may be raised on it.
    pub(crate) doubtful: bool,
}

/// The result for one thermal sensor on a tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) absent: bool,
    pub(crate) worked: bool,
    pub(crate) trust: Trust,
    /// The reading, trusted or not.
    pub(crate) value: Option<Celsius>,
}

/// The values that a reading is compared with.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) average: Option<f64>,
    pub(crate) meter: &'a Meter,
    pub(crate) counted: Option<&'a Meter>,
    pub(crate) scale: f64,
    pub(crate) fans: Option<Ratio>,
    /// The card slows itself down to stay at this reading, so it may stand still.
    pub(crate) holds_itself: bool,
    pub(crate) explains_falls: bool,
}

impl Channel {
    pub(crate) const fn new(stands: Duration) -> Self {
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
            doubtful: false,
        }
    }

    pub(crate) fn read(
        &mut self,
        now: Moment,
        said: Result<Celsius, Missing>,
        in_turn: bool,
        around: &Surroundings<'_>,
    ) -> Part {
        self.evidence.note(now, said.err(), in_turn);
        let absent = !self.evidence.offered && !self.evidence.is_pending();
        if absent {
            self.run = Run::NEW;
        }
        let value = said.ok();
        self.doubtful = false;
        let trust = match value {
            _ if absent => Trust::Clear,
            None => {
                self.evidence.doubt = Some(Doubt::Missing);
                self.run.bad(now, in_turn)
            }
            Some(value) => match self.lie(now, value, around) {
                // It took many readings to find out.
                Some(Doubt::Frozen) => {
                    self.evidence.doubt = Some(Doubt::Frozen);
                    self.run.lose()
                }
                Some(doubt) => {
                    self.evidence.doubt = Some(doubt);
                    self.run.bad(now, in_turn)
                }
                None => self.run.good(now, in_turn, value),
            },
        };
        if trust == Trust::Clear {
            self.evidence.doubt = self.doubtful.then_some(Doubt::Frozen);
        }
        Part {
            absent,
            worked: self.evidence.worked,
            trust,
            value,
        }
    }

    pub(crate) fn lie(
        &mut self,
        now: Moment,
        value: Celsius,
        around: &Surroundings<'_>,
    ) -> Option<Doubt> {
        let (average, scale) = (around.average, around.scale);
        let fallen = self
            .fall
            .is_fallen(now, value, average, around.explains_falls, scale);
        let stillness = if average.is_none() {
            self.still.look_alone(value)
        } else {
            let signs = Signs {
                meter: around.meter,
                counted: around.counted,
                scale,
                fans: around.fans,
                holds_itself: around.holds_itself,
            };
            self.still.look(now, value, signs)
        };
        self.doubtful = stillness == Stillness::Doubtful;
        let frozen = stillness == Stillness::Frozen;
        if frozen {
            // The next reading has nothing to fall from.
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
    pub(crate) fn believed(self) -> Option<Celsius> {
        self.value
            .filter(|_| self.trust == Trust::Clear && !self.absent)
    }
}
