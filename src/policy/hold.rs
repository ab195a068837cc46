//! How long leases have held a GPU above what its own temperature asks for.
//!
//! Alerts may add protection, but a lost `resolved`, a forgotten rule or a hostile sender must not
//! slow a cool GPU for ever: in any hour, at most `max_hold`.

use std::time::Duration;

use crate::units::Moment;

/// Minutes are counted whole, so that the ledger is small whatever comes: the oldest one that
/// touches the hour counts in full, which errs on the side of letting go.
const BUCKET_SECONDS: u64 = 60;
const BUCKETS: usize = 62;

/// What is held must also be given back, in steps: the ledger keeps room for it, up to half of all.
const GIVING_BACK: Duration = Duration::from_secs(30);

/// The last hour's held time, in minutes.
#[derive(Clone, Debug)]
pub struct HoldLedger {
    max_hold: Duration,
    minutes: [Duration; BUCKETS],
    /// Minute of the newest bucket.
    minute: u64,
    charged_until: Option<Moment>,
    refusing: bool,
}

impl HoldLedger {
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

    /// Accounts the time since the last call: `held` tells whether leases held the GPU meanwhile.
    pub fn charge(&mut self, now: Moment, held: bool) {
        let since = self.charged_until.replace(now);
        self.forget(now);
        if let Some(since) = since.filter(|_| held) {
            // All to the newest minute: an interval is a tick, seconds at most, and a later
            // bucket is forgotten later.
            self.minutes[bucket(self.minute)] += now.since(since);
        }
    }

    fn giving_back(&self) -> Duration {
        GIVING_BACK.min(self.max_hold / 2)
    }

    /// How much longer leases may hold within this hour.
    pub fn left(&self) -> Duration {
        if self.refusing {
            return Duration::ZERO;
        }
        self.max_hold
            .saturating_sub(self.spent() + self.giving_back())
    }

    /// Whether leases may hold on for another `step`. Once refused, not before half of the budget
    /// is back: a forgotten alert shall not make the limit flap every minute.
    pub fn permits(&mut self, step: Duration) -> bool {
        let spent = self.spent();
        if spent + step + self.giving_back() > self.max_hold {
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
