//! Runs one policy through one story.

use serde::Serialize;

use crate::device::ClockRange;
use crate::policy::{Level, PolicyName, Settings};
use crate::sim::card::{Card, Fault};
use crate::sim::node::Node;
use crate::sim::profile::{LOWEST_CLOCK, LimitOffer};

use super::clinic::workload::Workload;
use super::policy::Policy;
use super::runner::{Guard, Runner, footprints};
use super::scenario::Story;
use super::score::Score;

/// The guard's default settings, except for the regulator.
fn settings(policy: Policy) -> Settings {
    let regulator = match policy {
        Policy::Ladder => PolicyName::Ladder,
        _ => PolicyName::Governor,
    };
    Settings {
        regulator,
        ..Settings::default()
    }
}

/// One line of the record, with the contract's names.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) scenario: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) policy: &'static str,
    pub(crate) alert_latency_seconds: u64,
    pub(crate) hours: f64,
    pub(crate) throughput: f64,
    pub(crate) throughput_of_bound: f64,
    pub(crate) overshoot_celsius: f64,
    pub(crate) hottest_celsius: f64,
    pub(crate) mean_celsius: f64,
    pub(crate) above_alert_ratio: f64,
    pub(crate) above_critical_ratio: f64,
    pub(crate) limit_writes_per_hour: f64,
    /// Locks set and reset.
    pub(crate) clock_writes_per_hour: f64,
    pub(crate) feasible: bool,
    pub(crate) restored: bool,
}

/// The first card at one moment, for the plot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) hours: f64,
    pub(crate) over_alert: f64,
    pub(crate) limit: f64,
    pub(crate) level: Level,
}

/// The results of one run.
pub(crate) struct RunResult {
    pub(crate) policy: Policy,
    pub(crate) score: Score,
    pub(crate) limit_writes: u64,
    pub(crate) clock_writes: u64,
    pub(crate) restored: bool,
    pub(crate) workload: Option<Workload>,
    pub(crate) trace: Vec<Point>,
}

/// Points a trace has at most.
const TRACE_POINTS: u64 = 720;

/// Whether the cards stay at or below alert at their minimum limit, or at the lowest clock lock of the
/// plan where no limit can be set, while all sensors tell the truth.
pub(crate) fn is_feasible(story: Story) -> bool {
    let mut node = Node::new(&vec![story.profile; story.cards()], &Settings::default());
    for card in 0..story.cards() {
        hold(&mut node.rack.card(card));
    }
    let mut runner = Runner::new(story, Guard::Nobody);
    for _ in 0..story.seconds {
        if runner.world.fault() != Fault::None {
            return false;
        }
        let passed = runner.step(&mut node);
        if passed.iter().any(|passed| passed.truth.over_alert > 0.0) {
            return false;
        }
    }
    true
}

fn hold(card: &mut Card) {
    let highest = card.profile.gpu_clock_max;
    match card.profile.limit {
        LimitOffer::Settable => card.limit = card.profile.min_limit,
        LimitOffer::Refused | LimitOffer::Absent => {
            card.gpu_clock = Some(ClockRange {
                min: card.profile.gpu_clock_min,
                max: highest.scaled(LOWEST_CLOCK),
            });
        }
    }
}

/// Runs `policy` through the story.
pub(crate) fn play(story: Story, policy: Policy, traced: bool) -> RunResult {
    let mut node = Node::new(&vec![story.profile; story.cards()], &settings(policy));
    let before = footprints(&node, story.cards());
    let mut runner = Runner::new(story, Guard::new(policy, &node, story.cards()));
    let mut score = Score::new(story.cards());
    let mut trace = Vec::new();
    let every = (story.seconds / TRACE_POINTS).max(1);
    for second in 0..story.seconds {
        let passed = runner.step(&mut node);
        score.add(&passed);
        if traced && second.is_multiple_of(every) {
            trace.push(Point {
                hours: second as f64 / 3600.0,
                over_alert: passed[0].truth.over_alert,
                limit: node.limit(0).as_f64(),
                level: passed[0].level,
            });
        }
    }
    let most = |writes: fn(&Card) -> u64| {
        let writes = (0..story.cards()).map(|card| writes(&node.rack.card(card)));
        writes.max().unwrap_or_default()
    };
    RunResult {
        policy,
        limit_writes: most(|card| card.limit_writes),
        clock_writes: most(|card| card.lock_writes),
        score,
        restored: runner.cool_down(&mut node, &before),
        workload: runner.world.workload.take(),
        trace,
    }
}
