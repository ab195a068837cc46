//! Claims about knobs: which of them work, by what the card makes of them.

mod failures;
mod limits;
mod locks;
mod tried_again;

use super::*;
use crate::device::{ByClock, ByKnob, ClockRange, Facts, Knob, Missing, PowerConstraints, Reading};
use crate::policy::{Claim, LimitClaim, Settings, Targets};
use crate::units::{Megahertz, Moment, Watts};

const W: fn(u32) -> Watts = Watts::from_watts;

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

fn lock(megahertz: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(200),
        max: Megahertz::new(megahertz),
    }
}

fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: W(400),
            min: W(100),
            max: W(400),
        }),
        gpu_clock_max: Some(Megahertz::new(2000)),
        memory_clocks: [2000, 1000].map(Megahertz::new).to_vec(),
        fans: 2,
        ..Facts::default()
    }
}

fn settings() -> Settings {
    Settings {
        enabled: ByKnob::of(|_| true),
        ..Settings::default()
    }
}

/// A card of 400 W, held at 300 W and 1000 MHz, that obeys.
struct Bench {
    knobs: Knobs,
    reading: Reading,
    claim: Claim,
    targets: Targets,
    writes: ByKnob<Option<Write>>,
    in_turn: bool,
    hungry: bool,
    seconds: f64,
}

impl Bench {
    fn new() -> Self {
        Self {
            knobs: Knobs::new(&settings(), &facts()),
            reading: Reading {
                limit: Ok(W(300)),
                draw: Ok(W(299)),
                gpu_clock: Ok(Megahertz::new(1000)),
                ..Reading::missing(Moment::START, Missing::NotSupported)
            },
            claim: Claim {
                limit: Some(LimitClaim {
                    original: W(400),
                    previous: W(400),
                    next: W(300),
                }),
                locks: ByClock::of(|_| true),
                ..Claim::default()
            },
            targets: Targets {
                limit: Some(W(300)),
                locks: ByClock::of(|_| Some(lock(1000))),
                ..Targets::default()
            },
            writes: ByKnob::default(),
            in_turn: true,
            hungry: false,
            seconds: 0.0,
        }
    }

    /// A tick, `seconds` after the one before; which locks are to be set again.
    fn tick_after(&mut self, seconds: f64) -> ByKnob<bool> {
        self.seconds += seconds;
        let seen = Evidence {
            reading: &self.reading,
            claim: &self.claim,
            writes: &self.writes,
            targets: &self.targets,
            in_turn: self.in_turn,
            hungry: self.hungry,
            at_end: if self.hungry { AtEnd::Hot } else { AtEnd::No },
        };
        let renew = self.knobs.add_evidence(at(self.seconds), &seen);
        self.writes = ByKnob::default();
        renew
    }

    fn tick(&mut self) -> ByKnob<bool> {
        self.tick_after(1.0)
    }

    /// The last tick's write of `knob` went so.
    fn wrote(&mut self, knob: Knob, value: u32, outcome: Outcome) {
        self.writes[knob] = Some(Write {
            value,
            stored: None,
            slows: true,
            varied: false,
            outcome,
        });
    }

    /// A tick after a write that went so.
    fn tick_with(&mut self, knob: Knob, value: u32, outcome: Outcome) {
        self.wrote(knob, value, outcome);
        self.tick();
    }

    fn state(&self, knob: Knob) -> KnobState {
        self.knobs.reports()[knob].state
    }

    fn usable(&self, knob: Knob) -> bool {
        let means = self.knobs.means();
        means.has(knob)
    }
}
