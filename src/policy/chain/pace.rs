//! How often something comes, learned from when it came.

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Moment;

/// So many gaps are remembered: an outage is soon forgotten, and so is another pace.
const GAPS: usize = 12;

/// Two Alertmanagers, or two Prometheis, send in pairs: what comes so soon after is the same beat.
const SAME_BEAT: Duration = Duration::from_secs(2);

/// The pace of something that repeats.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    last: Option<Moment>,
    /// Newest first.
    gaps: VecDeque<Duration>,
}

impl Pace {
    /// It came once more. `apart`: how far it says itself that it is from the one before, which tells
    /// more where the guard looks seldom; a clock may be wrong.
    pub(super) fn beat(&mut self, now: Moment, apart: Duration) {
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

    /// What has come so far began in the middle of a gap: the next one is no measure.
    pub(super) fn restart(&mut self) {
        self.last = None;
    }

    /// The longest gap that recurs. One or two longer ones among many are outages, and no pace;
    /// three of them are another pace.
    pub(super) fn gap(&self) -> Option<Duration> {
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
