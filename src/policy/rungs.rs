//! The rungs of a ladder: what is taken from a card, from nothing to all there is.

use crate::device::{ClockRange, Facts, PowerConstraints};
use crate::units::{Megahertz, Ratio, Watts};

use super::Settings;
use super::knobs::Means;

/// Power rungs from the default limit to the floor. Seven kept 88–94 % of the throughput in
/// simulation against 42–59 % of a single step.
const POWER_RUNGS: u32 = 7;

/// SM clock locks, as shares of the maximum clock: while regulating, and in an emergency.
const GRADUAL_CLOCK: Ratio = Ratio::new(0.75);
const EMERGENCY_CLOCK: Ratio = Ratio::new(0.5);

/// The ladder's locks, from that one down; and where there is no limit to turn first.
const COARSE_CLOCKS: [Ratio; 3] = [GRADUAL_CLOCK, Ratio::new(0.6), EMERGENCY_CLOCK];
const ONLY_CLOCKS: [Ratio; 4] = [
    Ratio::new(0.85),
    GRADUAL_CLOCK,
    Ratio::new(0.6),
    EMERGENCY_CLOCK,
];

/// The governor's locks, down to the least useful one. A step of a twentieth is a tenth of the
/// draw, 2 °C on most cards.
const FINE_CLOCKS: [Ratio; 8] = [
    Ratio::new(0.95),
    Ratio::new(0.9),
    Ratio::new(0.85),
    Ratio::new(0.8),
    Ratio::new(0.75),
    Ratio::new(0.7),
    Ratio::new(0.6),
    Ratio::new(0.5),
];

/// Memory clock lock: not under half, lower states are catastrophic for throughput.
const MEMORY_CLOCK_MIN: Ratio = Ratio::new(0.5);

/// What is to be on the GPU and the apps. `None`: as it was before us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Targets {
    pub limit: Option<Watts>,
    pub gpu_clock: Option<ClockRange>,
    pub memory_clock: Option<ClockRange>,
    pub app: AppMode,
}

/// What the applications are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AppMode {
    #[default]
    Normal,
    /// Slow down gently: the HTTP mode.
    Gradual,
    /// And take smaller batches: the environment file. Late, because it costs most.
    GradualBatch,
    Emergency,
}

/// The rungs of one card. Rung 0 is nothing at all.
#[derive(Clone, Debug)]
pub struct Rungs {
    pub(super) all: Vec<Targets>,
    emergency: Targets,
    blind: Targets,
    contested: Option<ClockRange>,
}

impl Rungs {
    pub fn new(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let power = means.power;
        let slow = |share| clock_range(facts, share).filter(|_| means.gpu_clock);
        let limit = |share| power.map(|power: PowerConstraints| power.share_of_default(share));
        let floor = settings.gradual_floor;
        let minimum = power.map(|power| power.min);

        let mut rungs = vec![Targets {
            app: AppMode::Gradual,
            ..Targets::default()
        }];
        for step in 1..=POWER_RUNGS {
            let share = 1.0 - (1.0 - floor.value()) * f64::from(step) / f64::from(POWER_RUNGS);
            push(&mut rungs, |rung| rung.limit = limit(Ratio::new(share)));
        }
        let clocks: &[Ratio] = if power.is_some() {
            &COARSE_CLOCKS
        } else {
            &ONLY_CLOCKS
        };
        for &share in clocks {
            push(&mut rungs, |rung| rung.gpu_clock = slow(share));
        }
        push(&mut rungs, |rung| rung.app = AppMode::GradualBatch);
        push(&mut rungs, |rung| {
            rung.memory_clock = memory_range(means, facts);
        });
        push(&mut rungs, |rung| rung.limit = minimum);

        let emergency = Targets {
            limit: minimum,
            gpu_clock: slow(EMERGENCY_CLOCK),
            memory_clock: None,
            app: AppMode::Emergency,
        };
        let blind = Targets {
            limit: limit(floor),
            // Under such a limit the lock takes hardly anything, and it holds where the limit
            // can't: it may have been lower already, or not be taken.
            gpu_clock: slow(GRADUAL_CLOCK),
            memory_clock: None,
            app: AppMode::Gradual,
        };
        Self {
            all: rungs,
            emergency,
            blind,
            contested: slow(GRADUAL_CLOCK),
        }
    }

    /// The rungs that a governor leaves to the ladder: those under the floor, in finer locks.
    pub fn under_floor(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let power = means.power;
        let slow = |share| clock_range(facts, share).filter(|_| means.gpu_clock);
        let floor = power.map(|power| power.share_of_default(settings.gradual_floor));
        let mut all = vec![Targets {
            app: AppMode::Gradual,
            ..Targets::default()
        }];
        push(&mut all, |rung| rung.limit = floor);
        for share in FINE_CLOCKS {
            push(&mut all, |rung| rung.gpu_clock = slow(share));
        }
        push(&mut all, |rung| rung.app = AppMode::GradualBatch);
        push(&mut all, |rung| {
            rung.memory_clock = memory_range(means, facts);
        });
        push(&mut all, |rung| rung.limit = power.map(|power| power.min));
        Self {
            all,
            ..Self::new(settings, facts, means)
        }
    }

    pub const fn emergency(&self) -> Targets {
        self.emergency
    }

    /// The lock beside a limit that somebody else keeps raising.
    pub const fn contested_clock(&self) -> Option<ClockRange> {
        self.contested
    }

    /// The cap of a guard that can't see.
    pub const fn blind(&self) -> Targets {
        self.blind
    }
}

/// Adds a rung unless it is the same as the one before.
fn push(rungs: &mut Vec<Targets>, change: impl FnOnce(&mut Targets)) {
    let mut rung = rungs.last().copied().unwrap_or_default();
    change(&mut rung);
    if rungs.last() != Some(&rung) {
        rungs.push(rung);
    }
}

/// From the card's lowest clock up to `share` of its highest.
fn clock_range(facts: &Facts, share: Ratio) -> Option<ClockRange> {
    let max = facts.gpu_clock_max?.scaled(share);
    // Drivers accept 0 as "as low as you like".
    let min = facts.gpu_clock_min.unwrap_or(Megahertz::new(0)).min(max);
    Some(ClockRange { min, max })
}

/// The lowest supported memory clock that is still at least half of the highest; none on cards
/// with a single memory clock, where a lock does nothing.
fn memory_range(means: &Means, facts: &Facts) -> Option<ClockRange> {
    let highest = *facts.memory_clocks.first().filter(|_| means.memory_clock)?;
    let usable = |clock: &Megahertz| *clock >= highest.scaled(MEMORY_CLOCK_MIN) && *clock < highest;
    let clock = facts.memory_clocks.iter().copied().filter(usable).min()?;
    Some(ClockRange {
        min: clock,
        max: clock,
    })
}

#[cfg(test)]
mod tests;
