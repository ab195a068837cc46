//! The state of the alert chain: Prometheus → Alertmanager → hook or pull.
//!
//! A heartbeat alert proves the chain end to end. Its arrival alone proves only that Alertmanager
//! works: Alertmanager repeats the last one for minutes after Prometheus died. So its `eval_ts`
//! annotation, the time of evaluation, must advance as well: not from one message to the next
//! (healthy pairs repeat it), but within the timeout.

mod evaluation;
mod fault;
mod pace;

use std::collections::VecDeque;
use std::time::Duration;

use crate::policy::ask::chain::evaluation::{Evaluation, Told};
use crate::policy::ask::chain::pace::Pace;
use crate::units::Moment;

/// The chain as the guard sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// No chain is expected: the guard works on its own, as configured.
    Standalone,
    /// A chain is expected, but no heartbeat has come yet.
    Unknown,
    Ok,
    /// Heartbeats come, but their evaluation time stands still: Prometheus is dead, or its rules
    /// are broken.
    Stale,
    /// No heartbeats come, or the heartbeat was resolved.
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

    /// A chain is expected and missing: the local loop now acts in its place.
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

/// As long as the pace isn't known, it counts as the slowest possible one: a third of the greatest
/// timeout.
const SLOWEST: Duration = Duration::from_secs(TIMEOUT_MAX.as_secs() / 3);

/// How much longer the first heartbeat after the start may take before the chain counts as down: an
/// Alertmanager waits 10 s for its cluster, and a Prometheus reads its log first.
const START_GRACE: Duration = Duration::from_secs(60);

/// A heartbeat, or its advance, may be missing for this many intervals.
const BEATS: u32 = 3;

/// Heartbeats seen so far.
#[derive(Clone, Debug)]
pub struct Chain {
    expected: Expected,
    /// `None`: three times the slower of the two paces.
    timeout: Option<Duration>,
    started: Moment,
    /// A previous guard heard heartbeats: how long before this start, and until when they are
    /// expected.
    remembered: Option<(Duration, Moment)>,
    last: Option<Moment>,
    arrivals: Pace,
    evaluation: Evaluation,
    /// The pace of the evaluation's advances: it may advance less often than heartbeats arrive.
    advances: Pace,
    resolved: bool,
    /// The guard asks Alertmanager, which sends nothing by itself.
    pulls: bool,
    /// The heartbeats whose evaluations have advanced, and when, newest first.
    alive: VecDeque<(u64, Moment)>,
}

/// One node hardly ever gets more heartbeats than this.
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
            pulls: false,
            alive: VecDeque::new(),
        }
    }

    /// A previous guard heard a heartbeat this long before this guard's start. Until `until`, its
    /// absence counts.
    #[must_use]
    pub fn remembering(self, age: Duration, until: Moment) -> Self {
        Self {
            remembered: Some((age, until)),
            ..self
        }
    }

    /// `pulls`: the guard asks Alertmanager. It changes nothing but the words for people.
    #[must_use]
    pub fn pulling(self, pulls: bool) -> Self {
        Self { pulls, ..self }
    }

    /// How long ago the last heartbeat came, to this guard or a previous one.
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

    /// If there are several, the alert's fingerprint distinguishes them: replicas of Prometheus may
    /// differ in it.
    pub fn heartbeat_of(&mut self, fingerprint: u64, now: Moment, eval_ts: Option<f64>) {
        self.arrivals.beat(now, Duration::ZERO);
        self.last = Some(now);
        let told = eval_ts.map_or(Told::Nothing, |ts| self.evaluation.hear(now, ts));
        match told {
            Told::Nothing => return,
            // The first one may be as old as a whole interval, and so may be the first of another
            // clock.
            Told::First | Told::OtherClock => self.advances.restart(),
            Told::Advance(apart) => self.advances.beat(now, apart),
        }
        self.resolved = false;
        self.alive.retain(|(other, _)| *other != fingerprint);
        self.alive.truncate(REPLICAS - 1);
        self.alive.push_front((fingerprint, now));
    }

    /// The heartbeat was resolved: the Prometheus that evaluated it is gone.
    pub fn heartbeat_resolved(&mut self) {
        self.resolved = true;
    }

    /// One of several heartbeats was resolved: the others may continue.
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
            None if now.since(self.started) <= self.first_within() => ChainState::Unknown,
            None => ChainState::Down,
            Some(_) if self.resolved => ChainState::Down,
            Some(last) if !fresh(last) => ChainState::Down,
            Some(_) if self.evaluation.advanced().is_some_and(fresh) => ChainState::Ok,
            Some(_) => ChainState::Stale,
        }
    }

    /// How long the first heartbeat may take. The guard is as alone until then as with a chain that is down.
    fn first_within(&self) -> Duration {
        self.timeout
            .unwrap_or(SLOWEST + START_GRACE)
            .max(START_GRACE)
    }

    /// How long a heartbeat, or its advance, may be missing.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or_else(|| beats(self.pace(SLOWEST)))
    }

    /// The slower of the two paces. A pace that isn't known yet counts as `unknown`.
    fn pace(&self, unknown: Duration) -> Duration {
        if self.last.is_none() {
            return Duration::ZERO;
        }
        let known = |pace: &Pace| pace.gap().map_or(unknown, |gap| gap.min(SLOWEST));
        let advances = self.evaluation.newest().map(|_| known(&self.advances));
        known(&self.arrivals).max(advances.unwrap_or_default())
    }

    /// Whether an evaluation at `eval_ts` is no older than the timeout, compared with the newest
    /// one received. So the clocks of two machines are never compared. The pull uses this before it
    /// believes an absence in a list, so a pace that isn't known yet counts as the fastest.
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
