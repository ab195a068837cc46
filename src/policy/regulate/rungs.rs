//! The rungs of a ladder: sets of targets, from no throttle to every measure there is.

use crate::device::ClockDomain::{Gpu, Memory};
use crate::device::{ByClock, ClockRange, Facts, PowerConstraints};
use crate::policy::knobs::Means;
use crate::policy::types::settings::Settings;
use crate::policy::types::targets::{AppMode, Targets};
use crate::units::{Megahertz, Ratio};

use super::clock::ceiling::CeilingDial;
use super::dial::Dial;

/// The number of power rungs from the default limit to the floor. In simulation, seven kept 88–94 %
/// of the throughput; a single step kept 42–59 %.
const POWER_RUNGS: u32 = 7;

/// GPU clock locks, as shares of the maximum clock: while regulating, and in an emergency.
const GRADUAL_CLOCK: Ratio = Ratio::new(0.75);
const EMERGENCY_CLOCK: Ratio = Ratio::new(0.5);

/// A card's heat follows the square of its clock, and the clock the root of its heat.
const CLOCK_OF_HEAT: Ratio = Ratio::new(0.5);

/// The ladder's locks below its power rungs, and its locks on a card without a power limit.
const COARSE_CLOCKS: [Ratio; 3] = [GRADUAL_CLOCK, Ratio::new(0.6), EMERGENCY_CLOCK];
const ONLY_CLOCKS: [Ratio; 4] = [
    Ratio::new(0.85),
    GRADUAL_CLOCK,
    Ratio::new(0.6),
    EMERGENCY_CLOCK,
];

/// The governor's locks, down to the lowest useful one. A step of a twentieth is a tenth of the
/// draw: 2 °C on most cards.
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

/// The lowest memory clock lock: lower clocks are catastrophic for throughput.
const MEMORY_CLOCK_MIN: Ratio = Ratio::new(0.5);

/// The rungs of one card. Rung 0 sets nothing on the card.
#[derive(Clone, Debug)]
pub struct Rungs {
    pub(crate) all: Vec<Targets>,
    emergency: Targets,
    blind: Targets,
    contested: Option<ClockRange>,
    leased: Option<ClockRange>,
}

impl Rungs {
    pub fn new(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let power = means.power;
        let slow = |share| clock_range(facts, share).filter(|_| means.locks[Gpu]);
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
            push(&mut rungs, |rung| rung.locks[Gpu] = slow(share));
        }
        push(&mut rungs, |rung| rung.app = AppMode::GradualBatch);
        push(&mut rungs, |rung| {
            rung.locks[Memory] = memory_range(means, facts);
        });
        push(&mut rungs, |rung| rung.limit = minimum);

        let emergency = Targets {
            limit: minimum,
            locks: ByClock::only(Gpu, slow(EMERGENCY_CLOCK)),
            app: AppMode::Emergency,
            ..Targets::default()
        };
        let blind = Targets {
            limit: limit(floor),
            // Under such a limit the lock costs hardly anything. It works where the limit doesn't:
            // the limit may have been lower already, or the card may refuse it.
            locks: ByClock::only(Gpu, slow(GRADUAL_CLOCK)),
            app: AppMode::Gradual,
            ..Targets::default()
        };
        Self {
            all: rungs,
            emergency,
            blind,
            contested: slow(GRADUAL_CLOCK),
            leased: slow(settings.lease_ceiling.pow(CLOCK_OF_HEAT)),
        }
    }

    /// The rungs that a governor leaves to the ladder: those below the floor, with finer locks.
    pub fn under_floor(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let power = means.power;
        let slow = |share| clock_range(facts, share).filter(|_| means.locks[Gpu]);
        let floor = power.map(|power| power.share_of_default(settings.gradual_floor));
        let mut all = vec![Targets {
            app: AppMode::Gradual,
            ..Targets::default()
        }];
        push(&mut all, |rung| rung.limit = floor);
        for share in FINE_CLOCKS {
            push(&mut all, |rung| rung.locks[Gpu] = slow(share));
        }
        push(&mut all, |rung| rung.app = AppMode::GradualBatch);
        push(&mut all, |rung| {
            rung.locks[Memory] = memory_range(means, facts);
        });
        push(&mut all, |rung| rung.limit = power.map(|power| power.min));
        Self {
            all,
            ..Self::new(settings, facts, means)
        }
    }

    /// The rungs that a governor of the clock's ceiling leaves to the ladder: those below its floor.
    pub fn under_ceiling(
        settings: &Settings,
        facts: &Facts,
        means: &Means,
        dial: &CeilingDial,
    ) -> Self {
        let means = Means {
            power: None,
            ..*means
        };
        let mut all = vec![Targets {
            app: AppMode::Gradual,
            ..Targets::default()
        }];
        push(&mut all, |rung| {
            *rung = dial.targets(Some(dial.floor()), *rung);
        });
        push(&mut all, |rung| rung.app = AppMode::GradualBatch);
        push(&mut all, |rung| {
            rung.locks[Memory] = memory_range(&means, facts);
        });
        push(&mut all, |rung| {
            *rung = dial.targets(Some(dial.minimum()), *rung);
        });
        Self {
            all,
            ..Self::new(settings, facts, &means)
        }
    }

    pub const fn emergency(&self) -> Targets {
        self.emergency
    }

    /// The lock to add to a limit that another program keeps raising.
    pub const fn contested_clock(&self) -> Option<ClockRange> {
        self.contested
    }

    /// The lock under a gradual lease, where no limit can be set.
    pub const fn leased_clock(&self) -> Option<ClockRange> {
        self.leased
    }

    /// The cap of a blind guard.
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
    // Drivers take 0 for "as low as possible".
    let min = facts.gpu_clock_min.unwrap_or(Megahertz::new(0)).min(max);
    Some(ClockRange { min, max })
}

/// The lowest supported memory clock that is at least half of the highest. None on cards with a
/// single memory clock, where a lock has no effect.
fn memory_range(means: &Means, facts: &Facts) -> Option<ClockRange> {
    let highest = *facts
        .memory_clocks
        .first()
        .filter(|_| means.locks[Memory])?;
    let usable = |clock: &Megahertz| *clock >= highest.scaled(MEMORY_CLOCK_MIN) && *clock < highest;
    let clock = facts.memory_clocks.iter().copied().filter(usable).min()?;
    Some(ClockRange {
        min: clock,
        max: clock,
    })
}

#[cfg(test)]
mod tests;
