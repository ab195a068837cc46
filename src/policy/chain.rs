//! The state of the alert chain: Prometheus → Alertmanager → hook or pull.
//!
//! A heartbeat alert proves it end to end. Its arrival alone proves only Alertmanager: that goes on
//! repeating the last one for minutes after Prometheus died. So its `eval_ts` annotation, the time
//! of evaluation, must advance as well; not from one message to the next (healthy pairs repeat it),
//! but within the timeout.

use std::time::Duration;

use crate::units::Moment;

/// The chain as the guard sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// None is expected: the guard works on its own, by design.
    Standalone,
    /// Expected, not heard of yet.
    Unknown,
    Ok,
    /// Heartbeats come, but nobody evaluates: Prometheus is dead or its rules broken.
    Stale,
    /// No heartbeats, or told so.
    Down,
}

impl ChainState {
    pub const ALL: [Self; 5] = [
        Self::Standalone,
        Self::Unknown,
        Self::Ok,
        Self::Stale,
        Self::Down,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Standalone => "standalone",
            Self::Unknown => "unknown",
            Self::Ok => "ok",
            Self::Stale => "stale",
            Self::Down => "down",
        }
    }

    /// A chain was promised and isn't there: what the local loop does now, it does in its place.
    pub const fn is_fallback(self) -> bool {
        matches!(self, Self::Unknown | Self::Stale | Self::Down)
    }
}

/// Whether an Alertmanager is expected at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Expected {
    /// From the first heartbeat on.
    #[default]
    Auto,
    Yes,
    No,
}

const TIMEOUT_MIN: Duration = Duration::from_secs(15);
const TIMEOUT_MAX: Duration = Duration::from_secs(600);

/// How long a chain may stay unheard of after the start before it counts as down: an Alertmanager
/// waits 10 s for its cluster, a Prometheus reads its log first.
const START_GRACE: Duration = Duration::from_secs(60);

/// Weight of the newest gap in the observed cadence.
const CADENCE_WEIGHT: f64 = 0.3;

/// So many unusual gaps in a row are no outage but another cadence: somebody changed the group
/// interval.
const UNUSUAL_IN_A_ROW: u32 = 3;

/// Heartbeats seen so far.
#[derive(Clone, Debug)]
pub struct Chain {
    expected: Expected,
    /// `None`: three times the observed cadence.
    timeout: Option<Duration>,
    started: Moment,
    last: Option<Moment>,
    cadence: Option<Duration>,
    /// Gaps in a row that didn't fit it.
    unusual: u32,
    eval_ts: Option<f64>,
    advanced: Option<Moment>,
    resolved: bool,
}

impl Chain {
    pub fn new(expected: Expected, timeout: Option<Duration>, started: Moment) -> Self {
        Self {
            expected,
            timeout,
            started,
            last: None,
            cadence: None,
            unusual: 0,
            eval_ts: None,
            advanced: None,
            resolved: false,
        }
    }

    /// A firing heartbeat arrived.
    pub fn heartbeat(&mut self, now: Moment, eval_ts: Option<f64>) {
        if let Some(last) = self.last {
            self.observe_gap(now.since(last));
        }
        self.last = Some(now);
        let advances = eval_ts.is_some_and(|ts| self.eval_ts.is_none_or(|seen| ts > seen));
        if advances {
            self.eval_ts = eval_ts;
            self.advanced = Some(now);
            self.resolved = false;
        }
    }

    /// The heartbeat was resolved: whoever evaluated it is gone.
    pub fn heartbeat_resolved(&mut self) {
        self.resolved = true;
    }

    pub fn state(&self, now: Moment) -> ChainState {
        let expected = match self.expected {
            Expected::Yes => true,
            Expected::No => false,
            Expected::Auto => self.last.is_some(),
        };
        if !expected {
            return ChainState::Standalone;
        }
        let fresh = |at: Moment| now.since(at) <= self.timeout();
        match self.last {
            None if now.since(self.started) <= START_GRACE => ChainState::Unknown,
            None => ChainState::Down,
            Some(_) if self.resolved => ChainState::Down,
            Some(last) if !fresh(last) => ChainState::Down,
            Some(_) if self.advanced.is_some_and(fresh) => ChainState::Ok,
            Some(_) => ChainState::Stale,
        }
    }

    /// How long a heartbeat, or its advance, may be away.
    pub fn timeout(&self) -> Duration {
        let observed = || (self.cadence.unwrap_or_default() * 3).clamp(TIMEOUT_MIN, TIMEOUT_MAX);
        self.timeout.unwrap_or_else(observed)
    }

    /// Whether an evaluation at `eval_ts` is no older than the timeout, measured against the newest
    /// heard of: nobody's clock is compared with another's.
    pub fn is_recent(&self, now: Moment, eval_ts: f64) -> bool {
        let (Some(newest), Some(advanced)) = (self.eval_ts, self.advanced) else {
            return false;
        };
        let behind = Duration::try_from_secs_f64((newest - eval_ts).max(0.0));
        behind.is_ok_and(|behind| now.since(advanced).saturating_add(behind) <= self.timeout())
    }

    /// When the last heartbeat came.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Time since `eval_ts` last advanced.
    pub fn eval_age(&self, now: Moment) -> Option<Duration> {
        self.advanced.map(|at| now.since(at))
    }

    fn observe_gap(&mut self, gap: Duration) {
        // An outage is no cadence: it would stretch the timeout just when it is needed.
        let long = |cadence: Duration| gap > cadence * 3 && gap > TIMEOUT_MIN;
        if gap > TIMEOUT_MAX / 3 || self.cadence.is_some_and(long) {
            self.unusual += 1;
            if self.unusual >= UNUSUAL_IN_A_ROW {
                self.unusual = 0;
                self.cadence = Some(gap.min(TIMEOUT_MAX / 3));
            }
            return;
        }
        self.unusual = 0;
        self.cadence = Some(self.cadence.map_or(gap, |cadence| {
            cadence.mul_f64(1.0 - CADENCE_WEIGHT) + gap.mul_f64(CADENCE_WEIGHT)
        }));
    }
}

#[cfg(test)]
mod tests;
