//! What the governor learns from its own steps: whether they follow a trend, turn back and forth, or
//! went up too early.

use std::time::Duration;

use crate::units::{CelsiusDelta, Moment, Ratio};

use super::observer::Observer;

/// Trims that go up and down are noise, or mean that the card differs from the model. Each turn
/// makes the next trim wait longer, up to this many turns.
const TURNS_MAX: u32 = 4;

/// Corrections in one direction are a trend, as in a room that warms up. Each goes further than the
/// one before, up to this many times.
const TREND_MAX: i32 = 3;

/// The shortest time before a step up.
pub(super) const UP_DWELL: Duration = Duration::from_secs(20);
/// If a step up is taken back within this time, the next dwell doubles, up to the maximum.
const REGRET: Duration = Duration::from_secs(120);
const UP_DWELL_MAX: Duration = Duration::from_secs(640);
/// Peaks need their time to be seen.
const SEEN_DWELL: Duration = Duration::from_secs(90);
const SEEN_DWELL_MAX: Duration = Duration::from_secs(360);

/// A step of the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Up,
    /// It was too hot.
    Down,
    /// It would have become too hot.
    Precaution,
}

/// The governor's steps so far.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    /// The last step up that wasn't taken back.
    pub(super) raised: Option<Moment>,
    /// How long the limit must have stood before a step up.
    pub(super) up_dwell: Duration,
    /// The same for a step up because seen peaks left room, whatever is foreseen.
    pub(super) seen_dwell: Duration,
    /// The number of steps in a row that went up (negative: down).
    pub(super) trend: i32,
    /// How many times in a row the direction turned.
    pub(super) turns: u32,
}

impl Default for Steps {
    fn default() -> Self {
        Self {
            raised: None,
            up_dwell: UP_DWELL,
            seen_dwell: SEEN_DWELL,
            trend: 0,
            turns: 0,
        }
    }
}

impl Steps {
    /// Learns from a step. After a step up that had to be taken back, the next one waits longer. If only
    /// a forecast took it back, that is no lesson for steps up by what was seen.
    pub(super) fn learn(&mut self, now: Moment, step: Step) {
        let sign = match step {
            Step::Up => 1,
            Step::Down | Step::Precaution => -1,
        };
        let turned = self.trend.signum() != sign;
        self.trend = if turned { sign } else { self.trend + sign };
        self.turns = if turned {
            (self.turns + 1).min(TURNS_MAX)
        } else {
            0
        };
        if step == Step::Up {
            if self.raised.is_some_and(|at| now.since(at) > REGRET * 2) {
                self.up_dwell = UP_DWELL;
                self.seen_dwell = SEEN_DWELL;
            }
            self.raised = Some(now);
        } else if self.raised.take().is_some_and(|at| now.since(at) < REGRET) {
            self.up_dwell = (self.up_dwell * 2).min(UP_DWELL_MAX);
            if step == Step::Down {
                self.seen_dwell = (self.seen_dwell * 2).min(SEEN_DWELL_MAX);
            }
        }
    }

    /// The limit that moves the steady temperature back by `off`, and further along a trend.
    pub(super) fn trimmed(&self, limit: Ratio, off: CelsiusDelta) -> Ratio {
        let along = if (off > CelsiusDelta::ZERO) == (self.trend < 0) {
            self.trend.abs()
        } else {
            0
        };
        let further = Ratio::new(1.0 + f64::from(along.min(TREND_MAX)) * 0.5);
        limit - Observer::power_per(off) * further
    }
}
