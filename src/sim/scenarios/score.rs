//! The figures of a run. With several cards: the worst of each danger, the mean of the others.

use crate::sim::scenarios::meter::Passed;

/// Sums over all seconds so far.
#[derive(Clone, Debug)]
pub(crate) struct Score {
    seconds: u64,
    asked: f64,
    work: f64,
    celsius: f64,
    hottest: f64,
    over_alert: f64,
    /// Seconds, by card.
    above_alert: Vec<u64>,
    above_critical: Vec<u64>,
}

impl Score {
    pub(crate) fn new(cards: usize) -> Self {
        Self {
            seconds: 0,
            asked: 0.0,
            work: 0.0,
            celsius: 0.0,
            hottest: f64::MIN,
            over_alert: f64::MIN,
            above_alert: vec![0; cards],
            above_critical: vec![0; cards],
        }
    }

    pub(crate) fn add(&mut self, second: &[Passed]) {
        self.seconds += 1;
        for (card, passed) in second.iter().enumerate() {
            let truth = passed.truth;
            self.asked += passed.asked;
            self.work += passed.work;
            self.celsius += truth.celsius / second.len() as f64;
            self.hottest = self.hottest.max(truth.celsius);
            self.over_alert = self.over_alert.max(truth.over_alert);
            self.above_alert[card] += u64::from(truth.over_alert > 0.0);
            self.above_critical[card] += u64::from(truth.is_critical());
        }
    }

    /// Relative to the unlimited load.
    pub(crate) fn throughput(&self) -> f64 {
        if self.asked > 0.0 {
            self.work / self.asked
        } else {
            1.0
        }
    }

    /// Never negative: below alert there is no overshoot.
    pub(crate) fn overshoot(&self) -> f64 {
        self.over_alert.max(0.0)
    }

    pub(crate) fn hottest(&self) -> f64 {
        self.hottest
    }

    pub(crate) fn mean(&self) -> f64 {
        self.celsius / self.seconds.max(1) as f64
    }

    pub(crate) fn above_alert(&self) -> f64 {
        self.worst(&self.above_alert)
    }

    pub(crate) fn above_critical(&self) -> f64 {
        self.worst(&self.above_critical)
    }

    fn worst(&self, seconds: &[u64]) -> f64 {
        let worst = seconds.iter().copied().max().unwrap_or_default();
        worst as f64 / self.seconds.max(1) as f64
    }
}
