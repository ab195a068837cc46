//! The ladder: a fixed series of rungs, each colder than the one before, climbed down while the
//! GPU is at its set point and up again when it has been well under it for a while.
//!
//! It knows nothing about the card but its constraints, which makes it the safe choice; a governor
//! that learns the card does better.

use std::time::Duration;

use crate::device::ClockRange;
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::claim::Claim;
use super::governor::Drive;
use super::rungs::{Rungs, Targets};
use super::zone::Heat;

/// Between two rungs down: the die answers a step within about five seconds. At alert it isn't given
/// more, but under a governor, whose rungs are finer.
const DOWN_DWELL: Duration = Duration::from_secs(10);
const HOT_DWELL: Duration = Duration::from_secs(5);

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
    hot_dwell: Duration,
    /// When it was last regulated, for the time between two ticks.
    seen: Moment,
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
            hot_dwell: HOT_DWELL,
            seen: Moment::START,
        }
    }

    /// The rungs under a governor's floor.
    pub fn under_governor(rungs: Rungs) -> Self {
        Self {
            hot_dwell: DOWN_DWELL,
            ..Self::new(rungs)
        }
    }

    /// When the rung was taken.
    pub const fn moved(&self) -> Moment {
        self.moved
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
        let step = now.since(std::mem::replace(&mut self.seen, now));
        if self.wants_down(now, heat, step) {
            if self
                .raised
                .is_some_and(|at| now.since(at) < self.up_hold * 2)
            {
                self.up_hold = (self.up_hold * 2).min(UP_HOLD_MAX);
            }
            let next = self.next_biting(drive, heat.is_hot());
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

    /// The highest rung that is no looser than what is wanted on the card: a plan of other knobs goes
    /// on from there, and its next rung follows at once.
    pub fn resume(&mut self, wanted: &Targets) {
        let limit = |rung: &Targets| match (rung.limit, wanted.limit) {
            (Some(rung), Some(wanted)) => rung <= wanted,
            // A knob that left the plan keeps what it was set to.
            (None, _) | (_, None) => true,
        };
        let lock = |rung: Option<ClockRange>, wanted: Option<ClockRange>| {
            wanted.is_none_or(|wanted| rung.is_some_and(|rung| rung.max <= wanted.max))
        };
        let all = &self.rungs.all;
        let has =
            |lock: fn(&Targets) -> Option<ClockRange>| all.iter().any(|it| lock(it).is_some());
        let gpu_clock = wanted.gpu_clock.filter(|_| has(|it| it.gpu_clock));
        let memory_clock = wanted.memory_clock.filter(|_| has(|it| it.memory_clock));
        let found = all.iter().position(|rung| {
            limit(rung) && lock(rung.gpu_clock, gpu_clock) && lock(rung.memory_clock, memory_clock)
        });
        self.rung = found.unwrap_or(all.len() - 1);
        self.heat_at_move = None;
        self.forget_calm();
    }

    fn track(&mut self, now: Moment, heat: &Heat) {
        let since = |run: &mut Option<Moment>, is: bool| {
            *run = if is { Some(run.unwrap_or(now)) } else { None };
        };
        since(&mut self.under_since, !heat.at_set_point());
        since(&mut self.well_under_since, heat.to_alert >= UP_MARGIN);
    }

    /// `step`: the time between two ticks. The tick that is nearest to the end of a dwell ends it.
    fn wants_down(&self, now: Moment, heat: &Heat, step: Duration) -> bool {
        if !heat.at_set_point() || self.is_exhausted() {
            return false;
        }
        let Some(before) = self.heat_at_move else {
            return true;
        };
        let cooling = heat.to_alert > before && !heat.is_hot();
        let dwell = if heat.is_hot() {
            self.hot_dwell
        } else {
            DOWN_DWELL
        };
        now.since(self.moved) + step / 2 >= dwell && !cooling
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
    /// does not. `hot`: what only the applications do isn't waited for.
    fn next_biting(&self, drive: Drive, hot: bool) -> usize {
        let here = self.targets();
        let on_card = drive.limit.unwrap_or(drive.original);
        let limits = |limit: Watts| {
            limit < on_card && drive.draw.is_none_or(|draw| limit < draw.scaled(BITES))
        };
        let slows = |lock: ClockRange| drive.clock.is_none_or(|clock| lock.max < clock);
        let bites = |rung: &Targets| {
            (!hot && rung.app != here.app)
                || rung.memory_clock != here.memory_clock
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

#[cfg(test)]
mod tests;
