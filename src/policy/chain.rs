//! The state of the alert chain: Prometheus → Alertmanager → hook or pull.
//!
//! A heartbeat alert proves it end to end. Its arrival alone proves only Alertmanager: that goes on
//! repeating the last one for minutes after Prometheus died. So its `eval_ts` annotation, the time
//! of evaluation, must advance as well; not from one message to the next (healthy pairs repeat it),
//! but within the timeout.

mod evaluation;
mod pace;

use std::collections::VecDeque;
use std::time::Duration;

use crate::units::Moment;

use evaluation::{Evaluation, Told};
use pace::Pace;

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

/// A pace that isn't known yet is taken for the slowest there may be: a third of the greatest
/// timeout.
const SLOWEST: Duration = Duration::from_secs(TIMEOUT_MAX.as_secs() / 3);

/// A heartbeat, or its advance, may be away for so many beats.
const BEATS: u32 = 3;

/// Heartbeats seen so far.
#[derive(Clone, Debug)]
pub struct Chain {
    expected: Expected,
    /// `None`: three times the slower of the two paces.
    timeout: Option<Duration>,
    started: Moment,
    /// A guard before this one heard heartbeats: so long ago at the start, and expected until then.
    remembered: Option<(Duration, Moment)>,
    last: Option<Moment>,
    arrivals: Pace,
    evaluation: Evaluation,
    /// Of the evaluation's advances: it may be resent more seldom than it arrives.
    advances: Pace,
    resolved: bool,
    /// Whose evaluations have advanced, and when, newest first.
    alive: VecDeque<(u64, Moment)>,
}

/// More heartbeats for one node are hardly sent.
const REPLICAS: usize = 4;

impl Chain {
    pub fn new(expected: Expected, timeout: Option<Duration>, started: Moment) -> Self {
        Self {
            expected,
            timeout,
            started,
            remembered: None,
            last: None,
            arrivals: Pace::default(),
            evaluation: Evaluation::default(),
            advances: Pace::default(),
            resolved: false,
            alive: VecDeque::new(),
        }
    }

    /// A guard before this one was told that all is well, so long before this one's start: for `until`,
    /// that is missed.
    #[must_use]
    pub fn remembering(self, age: Duration, until: Moment) -> Self {
        Self {
            remembered: Some((age, until)),
            ..self
        }
    }

    /// How long ago the last heartbeat was, this guard's or one's before it.
    pub fn silence(&self, now: Moment) -> Option<Duration> {
        let before = self
            .remembered
            .map(|(age, _)| age + now.since(self.started));
        self.last.map(|last| now.since(last)).or(before)
    }

    /// A firing heartbeat arrived.
    pub fn heartbeat(&mut self, now: Moment, eval_ts: Option<f64>) {
        self.heartbeat_of(0, now, eval_ts);
    }

    /// Of several, each is known by its alert's fingerprint: replicas of Prometheus may differ in it.
    pub fn heartbeat_of(&mut self, fingerprint: u64, now: Moment, eval_ts: Option<f64>) {
        self.arrivals.beat(now, Duration::ZERO);
        self.last = Some(now);
        let told = eval_ts.map_or(Told::Nothing, |ts| self.evaluation.hear(now, ts));
        match told {
            Told::Nothing => return,
            // The first one seen may be as old as a whole gap; so may be that of another clock.
            Told::First | Told::OtherClock => self.advances.restart(),
            Told::Advance(apart) => self.advances.beat(now, apart),
        }
        self.resolved = false;
        self.alive.retain(|(other, _)| *other != fingerprint);
        self.alive.truncate(REPLICAS - 1);
        self.alive.push_front((fingerprint, now));
    }

    /// The heartbeat was resolved: whoever evaluated it is gone.
    pub fn heartbeat_resolved(&mut self) {
        self.resolved = true;
    }

    /// One of several was: the others may go on.
    pub fn resolved_of(&mut self, fingerprint: u64, now: Moment) {
        self.alive.retain(|(other, _)| *other != fingerprint);
        let timeout = self.timeout();
        let fresh = |(_, at): &(u64, Moment)| now.since(*at) <= timeout;
        self.resolved |= !self.alive.iter().any(fresh);
    }

    pub fn state(&self, now: Moment) -> ChainState {
        let expected = match self.expected {
            Expected::Yes => true,
            Expected::No => false,
            Expected::Auto => {
                let remembered = self.remembered.is_some_and(|(_, until)| now < until);
                self.last.is_some() || remembered
            }
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
            Some(_) if self.evaluation.advanced().is_some_and(fresh) => ChainState::Ok,
            Some(_) => ChainState::Stale,
        }
    }

    /// How long a heartbeat, or its advance, may be away.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or_else(|| beats(self.pace(SLOWEST)))
    }

    /// The slower of the two paces there are; one that isn't known yet is taken for `unknown`.
    fn pace(&self, unknown: Duration) -> Duration {
        if self.last.is_none() {
            return Duration::ZERO;
        }
        let known = |pace: &Pace| pace.gap().map_or(unknown, |gap| gap.min(SLOWEST));
        let advances = self.evaluation.newest().map(|_| known(&self.advances));
        known(&self.arrivals).max(advances.unwrap_or_default())
    }

    /// Whether an evaluation at `eval_ts` is no older than the timeout, measured against the newest
    /// heard of: nobody's clock is compared with another's. What is gone from a list is believed by
    /// this, so a pace that isn't known yet is taken for the fastest.
    pub fn is_recent(&self, now: Moment, eval_ts: f64) -> bool {
        let (Some(newest), Some(advanced)) = (self.evaluation.newest(), self.evaluation.advanced())
        else {
            return false;
        };
        let behind = Duration::try_from_secs_f64((newest - eval_ts).max(0.0));
        let timeout = self
            .timeout
            .unwrap_or_else(|| beats(self.pace(Duration::ZERO)));
        behind.is_ok_and(|behind| now.since(advanced).saturating_add(behind) <= timeout)
    }

    /// When the last heartbeat came.
    pub fn last(&self) -> Option<Moment> {
        self.last
    }

    /// Time since `eval_ts` last advanced.
    pub fn eval_age(&self, now: Moment) -> Option<Duration> {
        self.evaluation.advanced().map(|at| now.since(at))
    }
}

fn beats(pace: Duration) -> Duration {
    (pace * BEATS).clamp(TIMEOUT_MIN, TIMEOUT_MAX)
}

#[cfg(test)]
mod tests;
