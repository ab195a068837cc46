//! Claims about the judge: which sensors it believes, and what it makes of them.

mod extra_sensors;
mod fallen;
mod frozen;
mod inherited;
mod sight;
mod signs;
mod slowdown;
mod stand_in;
mod still;

use super::*;
use crate::device::error::any_code;
use crate::device::{Missing, PowerConstraints, SlowdownReason, SlowdownReasons, Thresholds};
use crate::policy::sense::trips::Heat;

const NONE: Missing = Missing::NotSupported;
const SOFTWARE: SlowdownReasons = SlowdownReasons::NONE.with(SlowdownReason::SoftwareThermal);
const HARDWARE: SlowdownReasons = SlowdownReasons::NONE.with(SlowdownReason::HardwareThermal);
const FAILED: Missing = Missing::Failed(any_code(999));
/// How often the guard may look.
const POLLS: [f64; 3] = [0.1, 1.0, 10.0];

fn c(degrees: f64) -> Celsius {
    Celsius::new(degrees)
}

/// 85 / 78 / 72, and memory 95 / 88 / 82.
fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: Watts::from_watts(400),
            min: Watts::from_watts(100),
            max: Watts::from_watts(400),
        }),
        thresholds: Thresholds {
            gpu_max: Some(c(85.0)),
            mem_max: Some(c(95.0)),
            ..Thresholds::default()
        },
        ..Facts::default()
    }
}

/// A card, looked at.
struct Bench {
    judge: Judge,
    facts: Facts,
    reading: Reading,
    extra_sensors: Vec<ExtraSensor>,
    poll: f64,
    seconds: f64,
}

impl Bench {
    /// With these sensors, drawing 300 W.
    fn new(core: Option<f64>, memory: Option<f64>, margin: Option<f64>) -> Self {
        Self::with(facts(), core, memory, margin)
    }

    fn with(facts: Facts, core: Option<f64>, memory: Option<f64>, margin: Option<f64>) -> Self {
        let said = |value: Option<f64>| value.map(c).ok_or(NONE);
        Self {
            judge: Judge::new(TripOverrides::default(), &facts),
            facts,
            reading: Reading {
                core: said(core),
                memory: said(memory),
                margin: said(margin),
                draw: Ok(Watts::from_watts(300)),
                slowdown_reasons: Ok(SlowdownReasons::default()),
                ..Reading::missing(Moment::START, NONE)
            },
            extra_sensors: Vec::new(),
            poll: 1.0,
            seconds: 0.0,
        }
    }

    fn core(core: f64) -> Self {
        Self::new(Some(core), None, None)
    }

    fn polled(self, poll: f64) -> Self {
        Self { poll, ..self }
    }

    fn draws(&mut self, watts: f64) {
        self.reading.draw = Ok(Watts::from_f64(watts));
    }

    fn look(&mut self) -> Judgement {
        self.seconds += self.poll;
        self.look_now(true)
    }

    fn look_now(&mut self, in_turn: bool) -> Judgement {
        let now = Moment::from_secs_f64(self.seconds);
        self.judge.judge(
            now,
            &self.reading,
            &self.facts,
            &self.extra_sensors,
            in_turn,
        )
    }

    /// Looks for so long; the last judgement.
    fn pass(&mut self, seconds: f64) -> Judgement {
        let end = self.seconds + seconds;
        loop {
            let judgement = self.look();
            if self.seconds >= end {
                return judgement;
            }
        }
    }

    /// The judgement after it says so at a steady `core`.
    fn says(&mut self, core: f64) -> Judgement {
        self.reading.core = Ok(c(core));
        self.look()
    }

    /// Seconds until it is blind.
    #[track_caller]
    fn until_blind(&mut self) -> f64 {
        let from = self.seconds;
        while !is_blind(&self.look()) {
            assert!(self.seconds < from + 600.0, "never");
        }
        self.seconds - from
    }
}

fn is_blind(judgement: &Judgement) -> bool {
    matches!(judgement.view, View::Blind(_))
}

#[track_caller]
fn heat(judgement: &Judgement) -> Heat {
    match judgement.view {
        View::Clear(heat) => heat,
        view => panic!("{view:?}"),
    }
}

fn state(judgement: &Judgement, sensor: Sensor) -> SensorState {
    judgement.sensors[sensor].state
}
