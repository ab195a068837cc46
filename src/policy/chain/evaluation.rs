//! The newest evaluation heard of, by the clock of whoever evaluates.
//!
//! That clock may be wrong, for one beat or from some beat on. So a time that lies before the newest
//! one isn't simply old: where such times rise by themselves, somebody evaluates by another clock.
//! What a dead evaluator left in several Alertmanagers doesn't rise, it only repeats.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::units::Moment;

/// Seconds since the Unix epoch, or milliseconds where a rule of somebody's says those.
const TIMES: RangeInclusive<f64> = 0.0..=1e14;

/// Earlier times that rise so often in a row are of a living evaluator. Three Alertmanagers that
/// repeat what they last heard show one rise among the two earlier times.
const RISES: u32 = 2;

#[derive(Clone, Copy, Debug)]
struct Earlier {
    eval_ts: f64,
    rises: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Evaluation {
    newest: Option<f64>,
    advanced: Option<Moment>,
    earlier: Option<Earlier>,
    /// What the newest was before the clock went back: its repetition proves nothing.
    left_behind: Option<f64>,
}

/// What a time of evaluation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    First,
    /// So much later than the one before, as it says.
    Advance(Duration),
    /// By another clock than before.
    OtherClock,
    Nothing,
}

impl Evaluation {
    pub(super) fn hear(&mut self, now: Moment, eval_ts: f64) -> Told {
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

    pub(super) const fn newest(&self) -> Option<f64> {
        self.newest
    }

    /// When it last advanced.
    pub(super) const fn advanced(&self) -> Option<Moment> {
        self.advanced
    }

    fn advance(&mut self, now: Moment, eval_ts: f64) {
        self.newest = Some(eval_ts);
        self.advanced = Some(now);
        self.earlier = None;
    }

    /// Takes in a time before the newest. True: such times have risen often enough.
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
