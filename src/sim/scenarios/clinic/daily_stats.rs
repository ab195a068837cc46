//! The clinic's three days, in the figures of the article's table: of both cards, by the core.

use crate::policy::Level;
use crate::sim::scenarios::meter::Passed;

/// The sums so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct DailyStats {
    pub(crate) seconds: u64,
    pub(crate) core_sum: f64,
    pub(crate) hottest: f64,
    pub(crate) over_78: u64,
    pub(crate) over_85: u64,
    pub(crate) longest_run: u64,
    run: u64,
    /// The number of throttles that ended, and the seconds from trigger to full recovery.
    pub(crate) recoveries: u64,
    pub(crate) recovering: u64,
    since: [Option<u64>; 2],
}

impl DailyStats {
    pub(crate) fn passed(&mut self, second: u64, passed: &[Passed]) {
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
