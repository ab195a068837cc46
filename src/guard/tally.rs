//! What has happened on one GPU since the guard started: counters, and the last hour.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::device::ActuatorError;
use crate::policy::{Decision, Event, Level, Trigger};
use crate::units::{Celsius, Moment};

/// A kind of write to a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    PowerLimit,
    GpuClockLock,
    GpuClockReset,
    MemoryClockLock,
    MemoryClockReset,
}

impl Action {
    pub const ALL: [Self; 5] = [
        Self::PowerLimit,
        Self::GpuClockLock,
        Self::GpuClockReset,
        Self::MemoryClockLock,
        Self::MemoryClockReset,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerLimit => "power_limit",
            Self::GpuClockLock => "gpu_clock_lock",
            Self::GpuClockReset => "gpu_clock_reset",
            Self::MemoryClockLock => "memory_clock_lock",
            Self::MemoryClockReset => "memory_clock_reset",
        }
    }
}

/// How a write went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionResult {
    Ok,
    /// `mode: observe`: computed, not written.
    Observed,
    /// Written, but the card reads back something else.
    NotTaken,
    NoPermission,
    OutOfRange,
    Unsupported,
    Lost,
    Failed,
    /// A raise that waits because the journal can't be written.
    Unjournaled,
}

impl ActionResult {
    pub const ALL: [Self; 9] = [
        Self::Ok,
        Self::Observed,
        Self::NotTaken,
        Self::NoPermission,
        Self::OutOfRange,
        Self::Unsupported,
        Self::Lost,
        Self::Failed,
        Self::Unjournaled,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Observed => "observed",
            Self::NotTaken => "not_taken",
            Self::NoPermission => "no_permission",
            Self::OutOfRange => "out_of_range",
            Self::Unsupported => "unsupported",
            Self::Lost => "lost",
            Self::Failed => "failed",
            Self::Unjournaled => "unjournaled",
        }
    }
}

impl From<ActuatorError> for ActionResult {
    fn from(error: ActuatorError) -> Self {
        match error {
            ActuatorError::NoPermission => Self::NoPermission,
            ActuatorError::OutOfRange => Self::OutOfRange,
            ActuatorError::Unsupported => Self::Unsupported,
            ActuatorError::Lost => Self::Lost,
            ActuatorError::Transient(_) => Self::Failed,
        }
    }
}

/// Counters of one GPU. They start at 0 and only grow.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By level (gradual, emergency) and [`Trigger::ALL`].
    pub throttles: [[u64; Trigger::ALL.len()]; 2],
    pub recoveries: u64,
    /// By level (gradual, emergency).
    pub throttled: [Duration; 2],
    /// By [`Action::ALL`] and [`ActionResult::ALL`].
    pub actions: [[u64; ActionResult::ALL.len()]; Action::ALL.len()],
    pub foreign_limits: u64,
    pub read_failures: u64,
    pub journal_failures: u64,
    pub reopened: u64,
    pub xids: Arc<BTreeMap<u64, XidCount>>,
}

/// One Xid code's history.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct XidCount {
    pub count: u64,
    /// Since the Unix epoch.
    pub last: Duration,
}

impl Tally {
    pub fn act(&mut self, action: Action, result: ActionResult) {
        self.actions[action as usize][result as usize] += 1;
    }

    pub fn decided(&mut self, decision: &Decision, step: Duration) {
        match decision.event {
            Some(Event::Throttled(level, trigger)) => {
                self.throttles[level_index(level)][trigger as usize] += 1;
            }
            Some(Event::Blinded) => {
                let trigger = decision.trigger.unwrap_or(Trigger::Local);
                self.throttles[0][trigger as usize] += 1;
            }
            Some(Event::Recovered) => self.recoveries += 1,
            Some(Event::Eased | Event::Recovering) | None => {}
        }
        if decision.level > Level::None {
            self.throttled[level_index(decision.level)] += step;
        }
    }

    pub fn xid(&mut self, code: u64, at: Duration) {
        let entry = Arc::make_mut(&mut self.xids).entry(code).or_default();
        entry.count += 1;
        entry.last = at;
    }

    pub fn throttle_events(&self) -> u64 {
        self.throttles.iter().flatten().sum()
    }
}

const fn level_index(level: Level) -> usize {
    match level {
        Level::None | Level::Gradual => 0,
        Level::Emergency => 1,
    }
}

/// Seconds a bucket of the last hour spans.
const BUCKET_SECONDS: u64 = 10;
const BUCKETS: usize = 360;

/// The core temperature over the last hour, every sample of it, in ten-second buckets.
#[derive(Clone, Debug)]
pub struct Hour {
    buckets: Box<[Bucket]>,
}

impl Default for Hour {
    fn default() -> Self {
        Self {
            buckets: vec![Bucket::default(); BUCKETS].into(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which ten seconds since the start, to know a stale one.
    slot: u64,
    count: u32,
    sum: f64,
    max: f64,
}

impl Hour {
    pub fn record(&mut self, now: Moment, temperature: Celsius) {
        let slot = now.since_start().as_secs() / BUCKET_SECONDS;
        let bucket = &mut self.buckets[usize::try_from(slot % BUCKETS as u64).unwrap_or(0)];
        if bucket.slot != slot || bucket.count == 0 {
            *bucket = Bucket {
                slot,
                count: 0,
                sum: 0.0,
                max: f64::NEG_INFINITY,
            };
        }
        bucket.count += 1;
        bucket.sum += temperature.degrees();
        bucket.max = bucket.max.max(temperature.degrees());
    }

    /// Highest and mean, or `None` without a sample in the last hour.
    pub fn max_and_mean(&self, now: Moment) -> Option<(Celsius, Celsius)> {
        let slot = now.since_start().as_secs() / BUCKET_SECONDS;
        let fresh = |bucket: &&Bucket| bucket.count > 0 && bucket.slot + BUCKETS as u64 > slot;
        let (mut count, mut sum, mut max) = (0_u32, 0.0, f64::NEG_INFINITY);
        for bucket in self.buckets.iter().filter(fresh) {
            count += bucket.count;
            sum += bucket.sum;
            max = max.max(bucket.max);
        }
        (count > 0).then(|| (Celsius::new(max), Celsius::new(sum / f64::from(count))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hour_forgets_the_one_before() {
        let mut hour = Hour::default();
        let at = |second: u64| Moment::from_start(Duration::from_secs(second));
        for second in 0..8000 {
            let degrees = if second == 100 { 90.0 } else { 60.0 };
            hour.record(at(second), Celsius::new(degrees));
        }
        assert_eq!(
            hour.max_and_mean(at(8000)).map(|(max, _)| max),
            Some(Celsius::new(60.0))
        );
        let mut hour = Hour::default();
        hour.record(at(100), Celsius::new(90.0));
        hour.record(at(2000), Celsius::new(60.0));
        let both = Some((Celsius::new(90.0), Celsius::new(75.0)));
        assert_eq!(hour.max_and_mean(at(3000)), both);
        assert_eq!(hour.max_and_mean(at(9000)), None);
    }
}
