//! Claims about the policy: what it decides about a card that does what it is told.

mod blind;
mod bound;
mod extra_sensors;
mod foreign_limit;
mod leases;
mod left_behind;
mod recovery;
mod reload;
mod throttle;

use std::time::Duration;

use super::*;
use crate::device::error::any_code;
use crate::device::{ByClock, ByKnob, ClockDomain, ClockRange, Missing, Thresholds};
use crate::policy::claim::Claim;
use crate::policy::types::targets::{FanTarget, Targets};
use crate::policy::{AppMode, Asked, Write};
use crate::units::{Celsius, Megahertz, Watts};

fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

fn at(second: u64) -> Moment {
    Moment::from_start(Duration::from_secs(second))
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
            default: w(400),
            min: w(100),
            max: w(500),
        }),
        thresholds: Thresholds {
            gpu_max: Some(Celsius::new(85.0)),
            ..Thresholds::default()
        },
        gpu_clock_min: Some(Megahertz::new(200)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    }
}

/// A card of 85 / 78 / 72 that does what it is told, a second a tick.
struct Card {
    policy: Policy,
    facts: Facts,
    reading: Reading,
    /// What it would draw if nothing held it.
    demand: Watts,
    claim: Claim,
    asked: Asked,
    second: u64,
    paused: bool,
    fallback: bool,
    apps_well: bool,
    extra_sensors: Vec<ExtraSensor>,
    /// What came of the last writes: nothing is told unless a test does.
    writes: ByKnob<Option<Write>>,
}

/// Under safe, and no further from critical than a card falls within a second: what falls faster
/// isn't believed.
const COOL: f64 = 70.0;
/// Between safe and the set point.
const WARM: f64 = 75.0;
const HOT: f64 = 78.0;
const CRITICAL: f64 = 85.0;

impl Card {
    fn new() -> Self {
        let reading = Reading {
            core: Ok(Celsius::new(COOL)),
            draw: Ok(w(390)),
            limit: Ok(w(400)),
            ..Reading::missing(Moment::START, Missing::NotSupported)
        };
        Self {
            policy: Policy::new(Settings::default(), &facts()),
            facts: facts(),
            reading,
            demand: w(390),
            claim: Claim::default(),
            asked: Asked::default(),
            second: 0,
            paused: false,
            fallback: false,
            apps_well: true,
            extra_sensors: Vec::new(),
            writes: ByKnob::default(),
        }
    }

    /// Decides only: nothing is written.
    fn look(&mut self) -> Decision {
        self.second += 1;
        self.reading.draw = Ok(self
            .reading
            .limit
            .map_or(self.demand, |it| self.demand.min(it)));
        let seen = Observation {
            reading: &self.reading,
            facts: &self.facts,
            open: true,
            locked_out: false,
            observes: false,
            has_app: false,
            writes: &self.writes,
            extra_sensors: &self.extra_sensors,
            woken: false,
            claim: &self.claim,
            confirmed: true,
            set_lately: false,
            asked: self.asked,
            lease_clock: at(self.second),
            paused: self.paused,
            fallback: self.fallback,
            apps_well: self.apps_well,
        };
        self.policy.decide(at(self.second), &seen)
    }

    fn tick(&mut self, core: f64) -> Decision {
        // A sensor that stood quite still while the draw rises would be a frozen one.
        let alive = if self.second.is_multiple_of(2) {
            0.1
        } else {
            0.0
        };
        self.reading.core = Ok(Celsius::new(core + alive));
        let decision = self.look();
        self.obey(&decision.targets);
        decision
    }

    fn tick_blind(&mut self) -> Decision {
        self.reading.core = Err(Missing::Failed(any_code(999)));
        let decision = self.look();
        self.obey(&decision.targets);
        decision
    }

    fn obey(&mut self, targets: &Targets) {
        let current = self.reading.limit.expect("a limit");
        match targets.limit {
            Some(limit) if limit != current => {
                self.claim.writing(current, limit);
                self.reading.limit = Ok(limit);
            }
            Some(_) => {}
            None => {
                let original = self.claim.limit.take().map(|ours| ours.original);
                self.reading.limit = Ok(original.unwrap_or(current));
            }
        }
        self.claim.locks = ByClock::of(|domain| targets.locks[domain].is_some());
    }

    fn limit(&self) -> Watts {
        self.reading.limit.expect("a limit")
    }

    /// Ticks until it is in `state`; what the last tick decided.
    #[track_caller]
    fn until(&mut self, core: f64, state: State) -> Decision {
        for _ in 0..4000 {
            let decision = self.tick(core);
            if decision.state == state {
                return decision;
            }
        }
        panic!("never {state:?}");
    }
}

fn alert(level: Level) -> Asked {
    Asked {
        alert: level,
        ..Asked::default()
    }
}

/// A card in an emergency lease, at 100 of 400 W.
fn capped() -> Card {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    card.tick(COOL);
    card
}
