//! The ladder: a fixed series of rungs, each colder than the one before, climbed down while the
//! GPU is at its set point and up again when it has been well under it for a while.
//!
//! It knows nothing about the card but its constraints, which makes it the safe choice; a governor
//! that learns the card does better.

use std::time::Duration;

use crate::device::{ClockRange, Facts, PowerConstraints};
use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::Settings;
use super::claim::Claim;
use super::governor::Drive;
use super::zone::Heat;

/// Power rungs from the default limit to the floor. Seven kept 88–94 % of the throughput in
/// simulation against 42–59 % of a single step.
const POWER_RUNGS: u32 = 7;

/// Between two rungs down: the die answers a step within about five seconds.
const DOWN_DWELL: Duration = Duration::from_secs(10);

/// Under the set point by this much, for [`UP_HOLD`], before a rung up. One rung moves a card by
/// 2–4 °C.
const UP_MARGIN: Celsius = Celsius::new(5.0);
const UP_HOLD: Duration = Duration::from_secs(30);

/// A rung up that had to be taken back doubles the next wait, up to this.
const UP_HOLD_MAX: Duration = Duration::from_secs(600);

/// Merely under the set point, the next rung up is tried after this many holds: a card that rests
/// between safe and alert of its own must not stay slowed for ever.
const PATIENCE: u32 = 10;

/// Between two steps of a recovery, each verified before the next.
const RECOVERY_STEP: Duration = Duration::from_secs(5);

/// A rung whose limit is over this share of the draw changes nothing and is skipped.
const BITES: Ratio = Ratio::new(0.97);

/// SM clock locks, as shares of the maximum clock: while regulating, and in an emergency.
const GRADUAL_CLOCK: Ratio = Ratio::new(0.75);
const EMERGENCY_CLOCK: Ratio = Ratio::new(0.5);

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
    all: Vec<Targets>,
    emergency: Targets,
    blind: Targets,
    contested: Option<ClockRange>,
}

impl Rungs {
    pub fn new(settings: &Settings, facts: &Facts) -> Self {
        let power = facts.power.filter(|_| settings.power_limit);
        let slow = |share| clock_range(facts, share).filter(|_| settings.gpu_clock);
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
        push(&mut rungs, |rung| rung.gpu_clock = slow(GRADUAL_CLOCK));
        push(&mut rungs, |rung| rung.app = AppMode::GradualBatch);
        push(&mut rungs, |rung| {
            rung.memory_clock = memory_range(settings, facts);
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
            app: AppMode::Gradual,
            ..Targets::default()
        };
        Self {
            all: rungs,
            emergency,
            blind,
            contested: slow(GRADUAL_CLOCK),
        }
    }

    /// The rungs that a governor leaves to the ladder: those under the floor, in finer locks.
    pub fn under_floor(settings: &Settings, facts: &Facts) -> Self {
        let power = facts.power.filter(|_| settings.power_limit);
        let slow = |share| clock_range(facts, share).filter(|_| settings.gpu_clock);
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
            rung.memory_clock = memory_range(settings, facts);
        });
        push(&mut all, |rung| rung.limit = power.map(|power| power.min));
        Self {
            all,
            ..Self::new(settings, facts)
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
fn memory_range(settings: &Settings, facts: &Facts) -> Option<ClockRange> {
    let highest = *facts
        .memory_clocks
        .first()
        .filter(|_| settings.memory_clock)?;
    let usable = |clock: &Megahertz| *clock >= highest.scaled(MEMORY_CLOCK_MIN) && *clock < highest;
    let clock = facts.memory_clocks.iter().copied().filter(usable).min()?;
    Some(ClockRange {
        min: clock,
        max: clock,
    })
}

/// Where on the ladder a GPU stands.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Rungs,
    rung: usize,
    moved: Moment,
    /// Heat when the rung was taken: no further down while that one still cools.
    heat_at_move: Option<Celsius>,
    under_since: Option<Moment>,
    well_under_since: Option<Moment>,
    up_hold: Duration,
    raised: Option<Moment>,
}

impl Ladder {
    pub fn new(rungs: Rungs) -> Self {
        Self {
            rungs,
            rung: 0,
            moved: Moment::START,
            heat_at_move: None,
            under_since: None,
            well_under_since: None,
            up_hold: UP_HOLD,
            raised: None,
        }
    }

    pub const fn rungs(&self) -> &Rungs {
        &self.rungs
    }

    /// The card was opened anew and may have other limits.
    pub fn replace(&mut self, rungs: Rungs) {
        self.rung = self.rung.min(rungs.all.len() - 1);
        self.rungs = rungs;
    }

    pub fn targets(&self) -> Targets {
        self.rungs.all[self.rung]
    }

    /// Nothing of the ladder's holds the card back.
    pub const fn is_released(&self) -> bool {
        self.rung == 0
    }

    /// Nothing colder is left.
    pub fn is_exhausted(&self) -> bool {
        self.rung + 1 == self.rungs.all.len()
    }

    /// One tick of regulation inside gradual.
    pub fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        self.track(now, heat);
        if self.wants_down(now, heat) {
            if self
                .raised
                .is_some_and(|at| now.since(at) < self.up_hold * 2)
            {
                self.up_hold = (self.up_hold * 2).min(UP_HOLD_MAX);
            }
            let next = self.next_biting(drive);
            self.step_to(now, next, heat);
        } else if self.wants_up(now) {
            self.raised = Some(now);
            self.step_to(now, self.rung.saturating_sub(1), heat);
        }
    }

    /// One rung up, for a governor that finds room.
    pub fn rise(&mut self, now: Moment, heat: &Heat) {
        self.step_to(now, self.rung.saturating_sub(1), heat);
    }

    /// One tick of giving back: half of the rungs, then half of the rest. True when all is back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat) -> bool {
        if self.rung == 0 {
            return true;
        }
        if now.since(self.moved) >= RECOVERY_STEP && !heat.at_set_point() {
            self.step_to(now, self.rung / 2, heat);
        }
        false
    }

    /// To the coldest rung: where an emergency or a blind guard hands over.
    pub fn bottom(&mut self, now: Moment) {
        self.rung = self.rungs.all.len() - 1;
        self.moved = now;
        self.heat_at_move = None;
        self.forget_calm();
    }

    /// All was given back: the next throttle starts afresh.
    pub fn reset(&mut self, now: Moment) {
        self.rung = 0;
        self.moved = now;
        self.heat_at_move = None;
        self.up_hold = UP_HOLD;
        self.raised = None;
        self.forget_calm();
    }

    /// The highest rung that holds the limit at or under `limit`: where a blind guard's cap lies.
    pub fn descend_to(&mut self, now: Moment, limit: Option<Watts>) {
        let colder = |rung: &Targets| rung.limit.is_some() && rung.limit <= limit;
        let found = self.rungs.all.iter().position(colder);
        let last = self.rungs.all.len() - 1;
        if limit.is_some() {
            self.rung = self.rung.max(found.unwrap_or(last));
            self.moved = now;
        }
        self.forget_calm();
    }

    /// The highest rung that holds all that a dead guard had claimed: what a guard before this one
    /// took is given back in the same steps as what this one takes.
    pub fn adopt(&mut self, now: Moment, claim: &Claim) {
        let limit = claim.limit.map(|ours| ours.next);
        let capped =
            |rung: &Targets| limit.is_none() || rung.limit.is_some() && rung.limit <= limit;
        let locked = |rung: &Targets| {
            (rung.gpu_clock.is_some() || !claim.gpu_clock)
                && (rung.memory_clock.is_some() || !claim.memory_clock)
        };
        let all = &self.rungs.all;
        let found = all.iter().position(|rung| capped(rung) && locked(rung));
        // A lock that isn't to be used any more has no rung.
        let found = found.or_else(|| all.iter().position(capped));
        self.rung = found.unwrap_or(all.len() - 1);
        self.moved = now;
        self.forget_calm();
    }

    fn track(&mut self, now: Moment, heat: &Heat) {
        let since = |run: &mut Option<Moment>, is: bool| {
            *run = if is { Some(run.unwrap_or(now)) } else { None };
        };
        since(&mut self.under_since, !heat.at_set_point());
        since(&mut self.well_under_since, heat.to_alert >= UP_MARGIN);
    }

    fn wants_down(&self, now: Moment, heat: &Heat) -> bool {
        if !heat.at_set_point() || self.is_exhausted() {
            return false;
        }
        let Some(before) = self.heat_at_move else {
            return true;
        };
        let cooling = heat.to_alert > before && !heat.is_hot();
        now.since(self.moved) >= DOWN_DWELL && !cooling
    }

    fn wants_up(&self, now: Moment) -> bool {
        let held = |since: Option<Moment>, hold: Duration| {
            since.is_some_and(|since| now.since(since.max(self.moved)) >= hold)
        };
        self.rung > 0
            && (held(self.well_under_since, self.up_hold)
                || held(self.under_since, self.up_hold * PATIENCE))
    }

    /// The next rung down that changes anything: a limit over the draw or a lock over the clock
    /// does not.
    fn next_biting(&self, drive: Drive) -> usize {
        let here = self.targets();
        let limits = |limit: Watts| drive.draw.is_none_or(|draw| limit < draw.scaled(BITES));
        let slows = |lock: ClockRange| drive.clock.is_none_or(|clock| lock.max < clock);
        let bites = |rung: &Targets| {
            (rung.app, rung.memory_clock) != (here.app, here.memory_clock)
                || rung.gpu_clock != here.gpu_clock && rung.gpu_clock.is_some_and(slows)
                || rung.limit != here.limit && rung.limit.is_some_and(limits)
        };
        let last = self.rungs.all.len() - 1;
        (self.rung + 1..last)
            .find(|&rung| bites(&self.rungs.all[rung]))
            .unwrap_or(last)
    }

    fn step_to(&mut self, now: Moment, rung: usize, heat: &Heat) {
        self.rung = rung;
        self.moved = now;
        self.heat_at_move = Some(heat.to_alert);
        self.forget_calm();
    }

    fn forget_calm(&mut self) {
        self.under_since = None;
        self.well_under_since = None;
    }
}
