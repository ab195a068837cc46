//! The last word on what is decided: others' limits, the original, the card's range, and that nothing
//! gets looser while hot or unseen.

use crate::device::ClockRange;
use crate::units::Moment;

use super::super::claim::{Claim, Verdict};
use super::super::rungs::{AppMode, Targets};
use super::super::state::Level;
use super::super::{Decision, Observation};
use super::Policy;

impl Policy {
    /// Somebody else's limit: a lower one stands, a higher one is lowered, at critical every tick.
    pub(super) fn watch_others(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        decision: &mut Decision,
    ) {
        let (Some(mut ours), Ok(current), true) =
            (seen.claim.limit, seen.reading.limit, seen.confirmed)
        else {
            return;
        };
        let lately = seen.set_lately;
        let foreign = !ours.owns(current) && !lately;
        let verdict = self.contest.observe(now, current, lately, &mut ours);
        decision.foreign_limit = foreign && verdict != Verdict::MaybeLower;
        if verdict == Verdict::MaybeLower {
            let limit = decision.targets.limit.unwrap_or(current);
            decision.targets.limit = Some(limit.min(current));
        }
        let lowers = decision.targets.limit.is_some_and(|limit| limit < current);
        let critical = decision.heat.is_some_and(|heat| heat.is_critical());
        match verdict {
            Verdict::Higher if lowers => self.contest.corrected(now),
            Verdict::HigherWait if lowers && critical => self.contest.corrected(now),
            Verdict::HigherWait if lowers => decision.targets.limit = Some(current),
            _ => {}
        }
        decision.contested = decision.level > Level::None && self.contest.is_contested(now);
        if decision.contested {
            let lock = self.regulator.rungs().contested_clock();
            decision.targets.gpu_clock = decision.targets.gpu_clock.or(lock);
        }
    }

    /// The last word on every number: within the card's range, never over the original, and never
    /// up while hot or unseen.
    pub(super) fn bound(&self, seen: &Observation<'_>, decision: &mut Decision) {
        let may_raise = !self.withholds(seen) && decision.heat.is_some_and(|heat| !heat.is_hot());
        let current = seen.reading.limit_on_card();
        if self.means.power.is_none() && seen.claim.limit.is_some() && decision.level > Level::None
        {
            // Out of the plan, what it was set to stays; at alert, what seems to have no effect is
            // taken to its end all the same.
            let on_card = current.or(seen.claim.limit.map(|ours| ours.next));
            let hot = decision.heat.is_some_and(|heat| heat.is_hot());
            let end = self.power.map(|power| power.min).filter(|_| hot);
            let on_card = on_card.map(|limit| end.map_or(limit, |end| limit.min(end)));
            let lower = decision.targets.limit.into_iter().chain(on_card).min();
            decision.targets.limit = lower;
        }
        if !self.means.gpu_clock && seen.claim.gpu_clock && decision.level > Level::None {
            let kept = self.last.targets.gpu_clock;
            decision.targets.gpu_clock = slower(decision.targets.gpu_clock, kept);
        }
        self.knobs.vary(&mut decision.targets);
        let original = seen.claim.limit.map(|ours| ours.original);
        // Another's value becomes the original with the next write; it binds already now.
        let original = if decision.foreign_limit {
            current
        } else {
            original.or(current)
        };
        let wanted = decision
            .targets
            .limit
            .or(original.filter(|_| seen.claim.limit.is_some()));
        let capped = wanted.map(|limit| {
            let limit = self.power.map_or(limit, |power| power.clamp(limit));
            let limit = original.map_or(limit, |original| limit.min(original));
            current
                .filter(|_| !may_raise)
                .map_or(limit, |current| limit.min(current))
        });
        // Giving all back is said as "none", so that the claim ends with it.
        // An original outside of the range goes back as nearly as it can.
        let settable = original.map(|it| self.power.map_or(it, |power| it.min(power.max)));
        let gives_back = decision.targets.limit.is_none() && capped == settable;
        decision.targets.limit = if gives_back { None } else { capped };
        if !may_raise {
            self.keep_locks(seen.claim, &mut decision.targets);
        }
    }

    /// A lock is a limit, too: while hot or unseen, the one that is on the card isn't loosened.
    fn keep_locks(&self, claim: &Claim, targets: &mut Targets) {
        let before = &self.last.targets;
        if claim.gpu_clock {
            // One that is given back in vain may be any.
            let any = self.regulator.rungs().emergency().gpu_clock;
            targets.gpu_clock = slower(targets.gpu_clock, before.gpu_clock.or(any));
        }
        if claim.memory_clock {
            targets.memory_clock = slower(targets.memory_clock, before.memory_clock);
        }
    }
}

pub(super) fn slower(a: Option<ClockRange>, b: Option<ClockRange>) -> Option<ClockRange> {
    [a, b].into_iter().flatten().min_by_key(|range| range.max)
}

/// Of each target the one that slows more.
pub(super) fn colder(a: Targets, b: Targets) -> Targets {
    Targets {
        limit: [a.limit, b.limit].into_iter().flatten().min(),
        gpu_clock: slower(a.gpu_clock, b.gpu_clock),
        memory_clock: slower(a.memory_clock, b.memory_clock),
        app: a.app.max(b.app).max(AppMode::Gradual),
    }
}
