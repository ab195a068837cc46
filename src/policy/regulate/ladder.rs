//! The ladder is a fixed series of rungs, each colder than the one before. It goes down while the
//! GPU is at its set point, and up again when the GPU has been well below it for a while.
//!
//! It knows only the card's constraints, which makes it the safe choice. A governor, which learns
//! about the card, performs better.

use std::time::Duration;

use crate::device::{ByClock, ClockDomain, ClockRange};
use crate::policy::claim::Claim;
use crate::policy::sense::trips::Heat;
use crate::policy::types::targets::Targets;
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::drive::Drive;
use super::rungs::Rungs;

/// The time between two rungs down. The die follows a step within about five seconds. At alert the
/// ladder waits no longer than that, except under a governor, whose rungs are finer.
const DOWN_DWELL: Duration = Duration::from_secs(10);
const HOT_DWELL: Duration = Duration::from_secs(5);

/// The ladder goes up a rung if the GPU has been this far below the set point for [`UP_HOLD`]. One
/// rung moves a card by 2–4 °C.
const UP_MARGIN: Celsius = Celsius::new(5.0);
const UP_HOLD: Duration = Duration::from_secs(30);

/// If a rung up had to be taken back, the next wait doubles, up to this.
const UP_HOLD_MAX: Duration = Duration::from_secs(600);

/// If the GPU is only just below the set point, the ladder tries a rung up after this many waits.
/// Otherwise a card that is steady between safe and alert by itself would stay slowed for ever.
const PATIENCE: u32 = 10;

/// The time between two steps of a recovery. Each is verified before the next.
const RECOVERY_STEP: Duration = Duration::from_secs(5);

/// If a rung's limit is above this share of the draw, the rung has no effect and is skipped.
const BITES: Ratio = Ratio::new(0.97);

/// The position of a GPU on the ladder.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Rungs,
    rung: usize,
    moved: Moment,
    /// The heat when the rung was taken. The ladder doesn't go further down while that rung still
    /// cools the GPU.
    heat_at_move: Option<Celsius>,
    /// The measured draw just before. On a card whose clock can't be read, it shows whether a lock works.
    draw_at_move: Option<Watts>,
    under_since: Option<Moment>,
    well_under_since: Option<Moment>,
    up_hold: Duration,
    raised: Option<Moment>,
    hot_dwell: Duration,
    /// The last regulation, for the time between two ticks.
    seen: Moment,
}

impl Ladder {
    pub fn new(rungs: Rungs) -> Self {
        Self {
            rungs,
            rung: 0,
            moved: Moment::START,
            heat_at_move: None,
            draw_at_move: None,
            under_since: None,
            well_under_since: None,
            up_hold: UP_HOLD,
            raised: None,
            hot_dwell: HOT_DWELL,
            seen: Moment::START,
        }
    }

    /// The rungs below a governor's floor.
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

    /// The card was opened again and may have other limits.
    pub fn replace(&mut self, rungs: Rungs) {
        self.rung = self.rung.min(rungs.all.len() - 1);
        self.rungs = rungs;
    }

    pub fn targets(&self) -> Targets {
        self.rungs.all[self.rung]
    }

    /// The ladder doesn't hold the card back.
    pub const fn is_released(&self) -> bool {
        self.rung == 0
    }

    /// There is no colder rung.
    pub fn is_exhausted(&self) -> bool {
        self.rung + 1 == self.rungs.all.len()
    }

    /// One tick of regulation inside gradual.
    pub fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        self.track(now, heat);
        let step = now.since(std::mem::replace(&mut self.seen, now));
        if self.wants_down(now, heat, drive, step) {
            if self
                .raised
                .is_some_and(|at| now.since(at) < self.up_hold * 2)
            {
                self.up_hold = (self.up_hold * 2).min(UP_HOLD_MAX);
            }
            let next = self.next_biting(drive, heat.is_hot());
            self.step_to(now, next, heat);
            self.draw_at_move = drive.measured;
        } else if self.wants_up(now) {
            self.raised = Some(now);
            self.step_to(now, self.rung.saturating_sub(1), heat);
        }
    }

    /// Goes up one rung, for a governor that finds room.
    pub fn rise(&mut self, now: Moment, heat: &Heat) {
        self.step_to(now, self.rung.saturating_sub(1), heat);
    }

    /// One tick of giving back: half of the rungs, then half of the rest. True: the GPU has
    /// everything back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat) -> bool {
        if self.rung == 0 {
            return true;
        }
        if now.since(self.moved) >= RECOVERY_STEP && !heat.at_set_point() {
            self.step_to(now, self.rung / 2, heat);
        }
        false
    }

    /// Goes to the coldest rung: an emergency or a blind guard hands over there.
    pub fn bottom(&mut self, now: Moment) {
        self.rung = self.rungs.all.len() - 1;
        self.moved = now;
        self.heat_at_move = None;
        self.forget_calm();
    }

    /// The GPU has everything back. The next throttle starts from the beginning.
    pub fn reset(&mut self, now: Moment) {
        self.rung = 0;
        self.moved = now;
        self.heat_at_move = None;
        self.up_hold = UP_HOLD;
        self.raised = None;
        self.forget_calm();
    }

    /// Goes down to the highest rung that is no looser than `cap`, that of a blind guard: by the limit, or
    /// by the lock where there is no limit.
    pub fn descend_to(&mut self, now: Moment, cap: &Targets) {
        let lock = |targets: &Targets| targets.locks[ClockDomain::Gpu].map(|range| range.max);
        let colder = |rung: &Targets| match (cap.limit, lock(cap)) {
            (Some(cap), _) => rung.limit.is_some_and(|limit| limit <= cap),
            (None, Some(cap)) => lock(rung).is_some_and(|max| max <= cap),
            (None, None) => false,
        };
        let found = self.rungs.all.iter().position(colder);
        let last = self.rungs.all.len() - 1;
        if cap.limit.is_some() || lock(cap).is_some() {
            self.rung = self.rung.max(found.unwrap_or(last));
            self.moved = now;
        }
        self.forget_calm();
    }

    /// Goes to the highest rung that covers the claim of a previous guard, so that both guards'
    /// settings are given back in the same steps.
    pub fn adopt(&mut self, now: Moment, claim: &Claim) {
        let limit = claim.limit.map(|ours| ours.next);
        let capped =
            |rung: &Targets| limit.is_none() || rung.limit.is_some() && rung.limit <= limit;
        let locked = |rung: &Targets| {
            let mut locks = rung.locks.iter();
            locks.all(|(domain, lock)| lock.is_some() || !claim.locks[domain])
        };
        let all = &self.rungs.all;
        let found = all.iter().position(|rung| capped(rung) && locked(rung));
        // A knob that may no longer be used has no rung.
        let found = found.or_else(|| all.iter().position(capped));
        self.rung = found.unwrap_or(all.len() - 1);
        self.moved = now;
        self.forget_calm();
    }

    /// Goes to the highest rung that is no looser than `wanted`. A plan of other knobs continues
    /// from there, and its next rung can follow at once.
    pub fn resume(&mut self, wanted: &Targets) {
        let limit = |rung: &Targets| match (rung.limit, wanted.limit) {
            (Some(rung), Some(wanted)) => rung <= wanted,
            // A knob that left the plan keeps its value.
            (None, _) | (_, None) => true,
        };
        let lock = |rung: Option<ClockRange>, wanted: Option<ClockRange>| {
            wanted.is_none_or(|wanted| rung.is_some_and(|rung| rung.max <= wanted.max))
        };
        let all = &self.rungs.all;
        let has = |domain| all.iter().any(|rung| rung.locks[domain].is_some());
        let wanted = ByClock::of(|domain| wanted.locks[domain].filter(|_| has(domain)));
        let locks = |rung: &Targets| {
            let mut locks = rung.locks.iter();
            locks.all(|(domain, it)| lock(*it, wanted[domain]))
        };
        let found = all.iter().position(|rung| limit(rung) && locks(rung));
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

    /// `step`: the time between two ticks. The tick nearest to the end of a dwell ends it.
    fn wants_down(&self, now: Moment, heat: &Heat, drive: Drive, step: Duration) -> bool {
        if !heat.at_set_point() || self.is_exhausted() {
            return false;
        }
        let Some(before) = self.heat_at_move else {
            return true;
        };
        let cooling = heat.to_alert > before && !heat.is_hot();
        let dwell = if heat.is_hot() && self.is_locked_in_vain(drive) {
            HOT_DWELL
        } else if heat.is_hot() {
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

    /// The rung has a lock of the SM clock, which can't be read, and the draw is no lower with it.
    fn is_locked_in_vain(&self, drive: Drive) -> bool {
        let locked = self.targets().locks[ClockDomain::Gpu].is_some();
        let draws = drive.measured.zip(self.draw_at_move);
        locked
            && drive.clock.is_none()
            && draws.is_some_and(|(now, before)| now > before.scaled(BITES))
    }

    /// The next rung down that has an effect: a limit above the draw or a lock above the clock has
    /// none. `hot`: don't stop at a rung that only the applications act on, nor at another lock after one
    /// that showed no effect.
    fn next_biting(&self, drive: Drive, hot: bool) -> usize {
        let here = self.targets();
        let on_card = drive.limit.unwrap_or(drive.original);
        let limits = |limit: Watts| {
            limit < on_card && drive.draw.is_none_or(|draw| limit < draw.scaled(BITES))
        };
        let in_vain = hot && self.is_locked_in_vain(drive);
        let slows = |lock: ClockRange| drive.clock.map_or(!in_vain, |clock| lock.max < clock);
        // Only of the SM clock is it known whether a lock slows it now.
        let changes = |domain, lock: Option<ClockRange>| {
            let slows = domain != ClockDomain::Gpu || lock.is_some_and(slows);
            lock != here.locks[domain] && slows
        };
        let bites = |rung: &Targets| {
            (!hot && rung.app != here.app)
                || rung
                    .locks
                    .iter()
                    .any(|(domain, lock)| changes(domain, *lock))
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
        self.draw_at_move = None;
        self.forget_calm();
    }

    fn forget_calm(&mut self) {
        self.under_since = None;
        self.well_under_since = None;
    }
}

#[cfg(test)]
mod tests;
