//! The interval of something that repeats, learned from its arrivals.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Moment;

/// This many gaps are remembered, so that an outage or an earlier pace is soon forgotten.
const GAPS: usize = 12;

/// Two Alertmanagers, or two Prometheus servers, send in pairs: an arrival this soon after another
/// is the same heartbeat.
const SAME_BEAT: Duration = Duration::from_secs(2);

/// The pace of something that repeats.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    last: Option<Moment>,
    /// Newest first.
    gaps: VecDeque<Duration>,
}

impl Pace {
    /// Records an arrival. `apart`: the distance from the one before by its own timestamps. It is
    /// more exact if the guard checks seldom, but its clock may be wrong.
    pub(crate) fn beat(&mut self, now: Moment, apart: Duration) {
        let Some(last) = self.last else {
            self.last = Some(now);
            return;
        };
        let gap = now.since(last);
        if gap < SAME_BEAT {
            return;
        }
        let gap = gap.max(apart.min(gap * 2));
        self.last = Some(now);
        self.gaps.truncate(GAPS - 1);
        self.gaps.push_front(gap);
    }

    /// The arrivals so far began in the middle of a gap, so the next gap is no measure.
    pub(crate) fn restart(&mut self) {
        self.last = None;
    }

    /// The longest gap that recurs. One or two longer ones among many are outages; three of them
    /// are another pace.
    pub(crate) fn gap(&self) -> Option<Duration> {
        let outages = match self.gaps.len() {
            0..3 => 0,
            3..6 => 1,
            _ => 2,
        };
        let mut gaps: Vec<Duration> = self.gaps.iter().copied().collect();
        gaps.sort_unstable_by(|a, b| b.cmp(a));
        gaps.get(outages).copied()
    }
}
