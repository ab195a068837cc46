//! The clinic's three days as the article's table tells them: of both cards, by the core.

use crate::policy::Level;

use super::scene::Passed;

/// Sums so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    pub(super) seconds: u64,
    pub(super) core_sum: f64,
    pub(super) hottest: f64,
    pub(super) over_78: u64,
    pub(super) over_85: u64,
    pub(super) longest_run: u64,
    run: u64,
    /// Of throttles that ended: how many, and seconds from trigger to full recovery.
    pub(super) recoveries: u64,
    pub(super) recovering: u64,
    since: [Option<u64>; 2],
}

impl Days {
    pub(super) fn passed(&mut self, second: u64, passed: &[Passed]) {
        let count = passed.len() as f64;
        self.seconds += 1;
        self.core_sum += passed.iter().map(|card| card.core).sum::<f64>() / count;
        let hottest = passed.iter().map(|card| card.core).fold(0.0, f64::max);
        self.hottest = self.hottest.max(hottest);
        self.over_78 += u64::from(hottest > 78.0);
        self.over_85 += u64::from(hottest > 85.0);
        self.run = if hottest >= 85.0 { 0 } else { self.run + 1 };
        self.longest_run = self.longest_run.max(self.run);
        for (since, card) in self.since.iter_mut().zip(passed) {
            if card.level > Level::None {
                since.get_or_insert(second);
            } else if let Some(since) = since.take() {
                self.recoveries += 1;
                self.recovering += second - since;
            }
        }
    }
}
