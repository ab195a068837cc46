//! The newest evaluation received, by the clock of the Prometheus that evaluates.
//!
//! That clock may be wrong, for one heartbeat or from some heartbeat on. So a time before the
//! newest one isn't simply old: if such times rise among themselves, a Prometheus evaluates by
//! another clock. The heartbeats that a dead Prometheus left in several Alertmanagers don't rise;
//! they only repeat.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::units::Moment;

/// Seconds since the Unix epoch, or milliseconds if an operator's rule says those.
const TIMES: RangeInclusive<f64> = 0.0..=1e14;

/// Earlier times that rise this often in a row come from a living Prometheus. Three Alertmanagers
/// that repeat their last heartbeats show one rise among the two earlier times.
const RISES: u32 = 2;

#[derive(Clone, Copy, Debug)]
struct Earlier {
    eval_ts: f64,
    rises: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Evaluation {
    newest: Option<f64>,
    advanced: Option<Moment>,
    earlier: Option<Earlier>,
    /// The newest time before the clock went back. Its repetition proves nothing.
    left_behind: Option<f64>,
}

/// What a time of evaluation means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    First,
    /// It is this much later than the one before, by its own clock.
    Advance(Duration),
    /// It comes from another clock than before.
    OtherClock,
    Nothing,
}

impl Evaluation {
    pub(crate) fn hear(&mut self, now: Moment, eval_ts: f64) -> Told {
        if !TIMES.contains(&eval_ts) || self.left_behind == Some(eval_ts) {
            return Told::Nothing;
        }
        let Some(newest) = self.newest else {
            self.advance(now, eval_ts);
            return Told::First;
        };
        if eval_ts > newest {
            self.advance(now, eval_ts);
            let apart = Duration::try_from_secs_f64(eval_ts - newest);
            return Told::Advance(apart.unwrap_or_default());
        }
        if eval_ts < newest && self.rises_before(eval_ts) {
            self.advance(now, eval_ts);
            self.left_behind = Some(newest);
            return Told::OtherClock;
        }
        Told::Nothing
    }

    pub(crate) const fn newest(&self) -> Option<f64> {
        self.newest
    }

    /// When the evaluation last advanced.
    pub(crate) const fn advanced(&self) -> Option<Moment> {
        self.advanced
    }

    fn advance(&mut self, now: Moment, eval_ts: f64) {
        self.newest = Some(eval_ts);
        self.advanced = Some(now);
        self.earlier = None;
    }

    /// Records a time before the newest one. True: such times have risen often enough.
    fn rises_before(&mut self, eval_ts: f64) -> bool {
        let rises = self.earlier.map_or(0, |before| {
            if eval_ts > before.eval_ts {
                before.rises + 1
            } else if eval_ts < before.eval_ts {
                0
            } else {
                before.rises
            }
        });
        self.earlier = Some(Earlier { eval_ts, rises });
        rises >= RISES
    }
}
