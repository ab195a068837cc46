//! One recorded card through the policy that runs on a node, in virtual time. The guard only observes:
//! a recording can't answer a write.

use serde::Serialize;

use crate::device::{ByKnob, Facts};
use crate::policy::{
    Asked, Claim, Decision, Doubt, Level, Observation, Policy, Sensor, Settings, State, Transition,
    Write,
};
use crate::recording::{Card, Sample};
use crate::units::{Celsius, Moment, Watts};

use super::facts::reading;
use super::forecast::{self, Forecast};

/// Doubts and decisions that are listed. All are counted.
const LISTED: usize = 50;

/// What came of one card's recording.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Replayed {
    /// It has temperatures of the core, and the draw.
    pub(super) judged: bool,
    pub(super) samples: usize,
    pub(super) seconds: f64,
    pub(super) core_celsius: Option<[f64; 2]>,
    /// The full draw that shares count from.
    pub(super) default_limit_watts: Option<f64>,
    /// Values of the core sensor that no card can have.
    pub(super) implausible: usize,
    /// How often a sensor that could be read was doubted.
    pub(super) doubts: usize,
    pub(super) listed_doubts: Vec<Doubted>,
    /// How often each decision was made.
    pub(super) throttles: usize,
    pub(super) emergencies: usize,
    pub(super) recoveries: usize,
    pub(super) blind: usize,
    pub(super) listed_decisions: Vec<Decided>,
    pub(super) forecast: Option<Forecast>,
}

/// A sensor wasn't trusted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Doubted {
    pub(super) at_seconds: f64,
    pub(super) sensor: Option<&'static str>,
    pub(super) doubt: &'static str,
}

/// A transition of the guard's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Decided {
    pub(super) at_seconds: f64,
    pub(super) decision: &'static str,
    pub(super) core_celsius: Option<f64>,
    pub(super) limit_watts: Option<f64>,
}

impl Replayed {
    pub(super) fn is_wrong(&self) -> bool {
        self.doubts > 0 || self.implausible > 0
    }
}

/// The policy of one card, tick by tick.
pub(super) struct Tape<'a> {
    policy: Policy,
    facts: &'a Facts,
    claim: Claim,
    writes: ByKnob<Option<Write>>,
}

impl<'a> Tape<'a> {
    pub(super) fn new(facts: &'a Facts) -> Self {
        Self {
            policy: Policy::new(Settings::default(), facts),
            facts,
            claim: Claim::default(),
            writes: ByKnob::default(),
        }
    }

    pub(super) fn play(&mut self, sample: &Sample) -> Decision {
        let seen = Observation {
            reading: &reading(sample, self.facts),
            facts: self.facts,
            open: true,
            locked_out: false,
            observes: true,
            has_app: false,
            writes: &self.writes,
            extra_sensors: &[],
            woken: false,
            claim: &self.claim,
            confirmed: false,
            set_lately: false,
            asked: Asked::default(),
            lease_clock: sample.at,
            paused: false,
            fallback: false,
            apps_well: true,
        };
        self.policy.decide(sample.at, &seen)
    }
}

pub(super) fn run(card: &Card, facts: &Facts) -> Replayed {
    let mut tape = Tape::new(facts);
    let mut replayed = Replayed::begun(card, facts);
    let mut doubted = false;
    for sample in &card.samples {
        let decision = tape.play(sample);
        let implausible = sample.core.is_some() && reading(sample, facts).core.is_err();
        replayed.implausible += usize::from(implausible);
        let lies = decision.doubt.filter(|it| is_about_a_reading(*it));
        if let Some(doubt) = lies.filter(|_| !doubted) {
            replayed.doubt(sample.at, &decision, doubt);
        }
        doubted = lies.is_some();
        if let Some(transition) = decision.transition {
            replayed.decide(sample, &decision, transition);
        }
    }
    replayed
}

/// A value that the file doesn't have is no doubt.
fn is_about_a_reading(doubt: Doubt) -> bool {
    matches!(doubt, Doubt::Frozen | Doubt::Fallen | Doubt::Contradicted)
}

/// The guard caps because it doesn't trust the temperature.
pub(super) fn caps(decision: &Decision) -> bool {
    decision.state == State::Blind
}

fn seconds(at: Moment) -> f64 {
    (at.since_start().as_secs_f64() * 10.0).round() / 10.0
}

impl Replayed {
    fn begun(card: &Card, facts: &Facts) -> Self {
        let cores = card.samples.iter().filter_map(|it| it.core);
        let coldest = cores.clone().reduce(Celsius::min);
        let hottest = cores.reduce(Celsius::max);
        let full = facts.power.map(|power| power.default);
        Self {
            judged: card.has_core_and_draw(),
            samples: card.samples.len(),
            seconds: card.samples.last().map_or(0.0, |it| seconds(it.at)),
            core_celsius: coldest
                .zip(hottest)
                .map(|(a, b)| [a.degrees(), b.degrees()]),
            default_limit_watts: full.map(Watts::as_f64),
            implausible: 0,
            doubts: 0,
            listed_doubts: Vec::new(),
            throttles: 0,
            emergencies: 0,
            recoveries: 0,
            blind: 0,
            listed_decisions: Vec::new(),
            forecast: forecast::errors(card, full),
        }
    }

    fn doubt(&mut self, at: Moment, decision: &Decision, doubt: Doubt) {
        self.doubts += 1;
        if self.listed_doubts.len() < LISTED {
            self.listed_doubts.push(Doubted {
                at_seconds: seconds(at),
                sensor: decision.doubted.map(Sensor::name),
                doubt: doubt.name(),
            });
        }
    }

    fn decide(&mut self, sample: &Sample, decision: &Decision, transition: Transition) {
        let (count, word) = match transition {
            Transition::Throttled(Level::Emergency, _) => (&mut self.emergencies, "emergency"),
            Transition::Throttled(..) | Transition::Eased => (&mut self.throttles, "throttle"),
            Transition::Recovering => (&mut self.recoveries, "recovery"),
            Transition::Recovered => return,
            Transition::Blinded => (&mut self.blind, "blind"),
        };
        *count += 1;
        if self.listed_decisions.len() < LISTED {
            self.listed_decisions.push(Decided {
                at_seconds: seconds(sample.at),
                decision: word,
                core_celsius: sample.core.map(Celsius::degrees),
                limit_watts: decision.targets.limit.map(Watts::as_f64),
            });
        }
    }
}
