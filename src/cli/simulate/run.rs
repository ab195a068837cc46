//! One policy through one story, and what came of it.

use serde::Serialize;

use crate::device::sim::{Card, Fault};
use crate::guard::virtual_node::Node;
use crate::policy::{Level, RegulatorName, Settings};

use super::scene::Story;
use super::score::Score;
use super::stage::{Guard, Stage, footprints};
use super::ward::Ward;

/// Who looks after the cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// The driver's own slowdown.
    None,
    FixedStep {
        latency_seconds: u64,
    },
    Ladder,
    Governor,
}

impl Policy {
    pub(super) const NAMES: [&'static str; 4] = ["none", "fixed-step", "ladder", "governor"];

    pub(super) const ALL: [Self; 6] = [
        Self::None,
        Self::FixedStep { latency_seconds: 0 },
        Self::FixedStep {
            latency_seconds: 15,
        },
        Self::FixedStep {
            latency_seconds: 60,
        },
        Self::Ladder,
        Self::Governor,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FixedStep { .. } => "fixed-step",
            Self::Ladder => "ladder",
            Self::Governor => "governor",
        }
    }

    pub(super) const fn latency_seconds(self) -> u64 {
        match self {
            Self::FixedStep { latency_seconds } => latency_seconds,
            _ => 0,
        }
    }
}

/// The guard at the configuration's defaults, but for the regulator.
fn settings(policy: Policy) -> Settings {
    let regulator = match policy {
        Policy::Ladder => RegulatorName::Ladder,
        _ => RegulatorName::Governor,
    };
    Settings {
        regulator,
        ..Settings::default()
    }
}

/// One line of the record; the contract's names.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) scenario: &'static str,
    pub(super) profile: &'static str,
    pub(super) policy: &'static str,
    pub(super) alert_latency_seconds: u64,
    pub(super) hours: f64,
    pub(super) throughput: f64,
    pub(super) throughput_of_bound: f64,
    pub(super) overshoot_celsius: f64,
    pub(super) hottest_celsius: f64,
    pub(super) mean_celsius: f64,
    pub(super) above_alert_ratio: f64,
    pub(super) above_critical_ratio: f64,
    pub(super) limit_writes_per_hour: f64,
    /// Locks set and reset.
    pub(super) clock_writes_per_hour: f64,
    pub(super) feasible: bool,
    pub(super) restored: bool,
}

/// The first card at one moment, for the plot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) hours: f64,
    pub(super) over_alert: f64,
    pub(super) limit: f64,
    pub(super) level: Level,
}

/// All of one run.
pub(super) struct Played {
    pub(super) policy: Policy,
    pub(super) score: Score,
    pub(super) limit_writes: u64,
    pub(super) clock_writes: u64,
    pub(super) restored: bool,
    pub(super) ward: Option<Ward>,
    pub(super) trace: Vec<Point>,
}

/// Points a trace has at most.
const TRACE_POINTS: u64 = 720;

/// Whether the cards stay at or under alert at their minimum limit, all sensors telling the truth.
pub(super) fn is_feasible(story: Story) -> bool {
    let mut node = Node::new(&vec![story.profile; story.cards()], &Settings::default());
    for card in 0..story.cards() {
        node.rack.card(card).limit = story.profile.min_limit;
    }
    let mut stage = Stage::new(story, Guard::Nobody);
    for _ in 0..story.seconds {
        if stage.scene.fault() != Fault::None {
            return false;
        }
        let passed = stage.step(&mut node);
        if passed.iter().any(|passed| passed.truth.over_alert > 0.0) {
            return false;
        }
    }
    true
}

/// Tells the story to `policy`.
pub(super) fn play(story: Story, policy: Policy, traced: bool) -> Played {
    let mut node = Node::new(&vec![story.profile; story.cards()], &settings(policy));
    let before = footprints(&node, story.cards());
    let mut stage = Stage::new(story, Guard::new(policy, &node, story.cards()));
    let mut score = Score::new(story.cards());
    let mut trace = Vec::new();
    let every = (story.seconds / TRACE_POINTS).max(1);
    for second in 0..story.seconds {
        let passed = stage.step(&mut node);
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
    Played {
        policy,
        limit_writes: most(|card| card.limit_writes),
        clock_writes: most(|card| card.lock_writes),
        score,
        restored: stage.cool_down(&mut node, &before),
        ward: stage.scene.ward.take(),
        trace,
    }
}
