//! How long leases have held a GPU above the level of its own temperature.
//!
//! Alerts may add protection. But a lost `resolved`, a forgotten rule or a hostile sender must not
//! slow a cool GPU for ever. So leases hold it for at most `max_hold` in any hour.

use std::time::Duration;

use crate::units::Moment;

/// The budget counts whole minutes, so that its size is fixed. The oldest minute that overlaps the
/// hour counts in full, so the error is towards releasing the GPU.
const BUCKET_SECONDS: u64 = 60;
const BUCKETS: usize = 62;

/// A held GPU must also be released, in steps. The budget reserves time for that, up to half of it.
const GIVING_BACK: Duration = Duration::from_secs(30);

/// The last hour's held time, in minutes.
#[derive(Clone, Debug)]
pub struct LeaseBudget {
    max_hold: Duration,
    minutes: [Duration; BUCKETS],
    /// Minute of the newest bucket.
    minute: u64,
    charged_until: Option<Moment>,
    refusing: bool,
}

impl LeaseBudget {
    pub fn new(max_hold: Duration) -> Self {
        Self {
            max_hold,
            minutes: [Duration::ZERO; BUCKETS],
            minute: 0,
            charged_until: None,
            refusing: false,
        }
    }

    pub fn set_max_hold(&mut self, max_hold: Duration) {
        self.max_hold = max_hold;
    }

    /// Records the time since the last call. `held`: leases held the GPU during it.
    pub fn charge(&mut self, now: Moment, held: bool) {
        let since = self.charged_until.replace(now);
        self.forget(now);
        if let Some(since) = since.filter(|_| held) {
            // The whole interval goes to the newest minute: it is one tick, seconds at most, and a
            // later bucket is forgotten later.
            self.minutes[bucket(self.minute)] += now.since(since);
        }
        self.refusing &= self.spent() > self.max_hold / 2;
    }

    fn giving_back(&self) -> Duration {
        GIVING_BACK.min(self.max_hold / 2)
    }

    /// How much longer leases may hold the GPU within this hour.
    pub fn left(&self) -> Duration {
        if self.refusing {
            return Duration::ZERO;
        }
        self.max_hold
            .saturating_sub(self.spent() + self.giving_back())
    }

    /// Whether leases may hold the GPU for another `step`. Once refused, they may again when half
    /// of the budget is back. Otherwise a forgotten alert would make the limit flap every minute.
    pub fn permits(&mut self, step: Duration) -> bool {
        let spent = self.spent();
        // The first tick has no length yet.
        let none = self.max_hold.is_zero();
        if none || spent + step + self.giving_back() > self.max_hold {
            self.refusing = true;
        } else if spent <= self.max_hold / 2 {
            self.refusing = false;
        }
        !self.refusing
    }

    pub fn spent(&self) -> Duration {
        self.minutes.iter().sum()
    }

    fn forget(&mut self, now: Moment) {
        let minute = now.since_start().as_secs() / BUCKET_SECONDS;
        let passed = minute.saturating_sub(self.minute).min(BUCKETS as u64);
        for ahead in 1..=passed {
            self.minutes[bucket(self.minute + ahead)] = Duration::ZERO;
        }
        self.minute = self.minute.max(minute);
    }
}

fn bucket(minute: u64) -> usize {
    usize::try_from(minute % BUCKETS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests;
