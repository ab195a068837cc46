//! The last check of every decision: limits of other programs, the original limit, the card's
//! range, and that no setting gets looser while the GPU is hot or not seen.

use crate::device::ClockDomain;
use crate::policy::claim::{Claim, Verdict};
use crate::policy::state::Level;
use crate::policy::types::decision::Decision;
use crate::policy::types::observation::Observation;
use crate::policy::types::targets::{FanTarget, Targets, slower};
use crate::units::Moment;

use super::policy::Policy;

impl Policy {
    /// Answers other programs that set the limit. A contest lasts until there was nothing to correct
    /// for a while: the guard may give everything back between two rounds of it.
    pub(super) fn watch_others(
        &mut self,
        now: Moment,
        seen: &Observation<'_>,
        decision: &mut Decision,
    ) {
        self.answer_others(now, seen, decision);
        decision.contested = self.contest.is_contested(now);
        if decision.contested && decision.level > Level::None {
            let lock = self.regulator.rungs().contested_clock();
            let target = &mut decision.targets.locks[ClockDomain::Gpu];
            *target = target.or(lock);
        }
    }

    /// Another program's limit: a lower one stays, a higher one is lowered, at critical on every
    /// tick.
    fn answer_others(&mut self, now: Moment, seen: &Observation<'_>, decision: &mut Decision) {
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
            // It is read once more before the guard writes over it: else it would be lost, and the guard
            // would give back more than was wanted last. Heat doesn't wait for that.
            let limit = decision.targets.limit.unwrap_or(current).min(current);
            let urgent = decision.level == Level::Emergency
                || decision.heat.is_none_or(|heat| heat.is_hot());
            decision.targets.limit = Some(if urgent { limit } else { current });
        }
        let lowers = decision.targets.limit.is_some_and(|limit| limit < current);
        let critical = decision.heat.is_some_and(|heat| heat.is_critical());
        match verdict {
            Verdict::Higher if lowers => self.contest.corrected(now),
            Verdict::HigherWait if lowers && critical => self.contest.corrected(now),
            Verdict::HigherWait if lowers => decision.targets.limit = Some(current),
            _ => {}
        }
    }

    /// Bounds every value: within the card's range, never above the original, and never raised
    /// while the GPU is hot or not seen.
    pub(super) fn bound(&self, seen: &Observation<'_>, decision: &mut Decision) {
        let may_raise = !self.withholds(seen) && decision.heat.is_some_and(|heat| !heat.is_hot());
        let current = seen.reading.limit_on_card();
        let out = self.means.power.is_none() || self.tries_limit();
        if out && seen.claim.limit.is_some() && decision.level > Level::None {
            // A knob outside the plan keeps its value. At alert it is set to its minimum all the
            // same, although it seems to have no effect.
            let on_card = current.or(seen.claim.limit.map(|ours| ours.next));
            let hot = decision.heat.is_some_and(|heat| heat.is_hot());
            let end = self.power.map(|power| power.min).filter(|_| hot);
            let on_card = on_card.map(|limit| end.map_or(limit, |end| limit.min(end)));
            let lower = decision.targets.limit.into_iter().chain(on_card).min();
            decision.targets.limit = lower;
        }
        let gpu = ClockDomain::Gpu;
        if !self.means.locks[gpu] && seen.claim.locks[gpu] && decision.level > Level::None {
            let kept = self.last.targets.locks[gpu];
            decision.targets.locks[gpu] = slower(decision.targets.locks[gpu], kept);
        }
        self.knobs.vary(&mut decision.targets);
        let original = seen.claim.limit.map(|ours| ours.original);
        // Another program's limit becomes the original with the next write. It is the bound already
        // now.
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
        // To give everything back, the target is "none", so that the claim ends. If the original
        // lies outside the range, the nearest value goes back.
        let settable = original.map(|it| self.power.map_or(it, |power| it.min(power.max)));
        let gives_back = decision.targets.limit.is_none() && capped == settable;
        decision.targets.limit = if gives_back { None } else { capped };
        if !may_raise {
            self.keep_locks(seen.claim, &mut decision.targets);
            if seen.claim.fans.any() {
                decision.targets.fans = decision.targets.fans.max(FanTarget::Kept);
            }
        }
    }

    /// A lock is a limit, too: it isn't loosened while the GPU is hot or not seen.
    fn keep_locks(&self, claim: &Claim, targets: &mut Targets) {
        // If a lock couldn't be given back, its range is unknown.
        let any = self.regulator.rungs().emergency().locks;
        for (domain, target) in targets.locks.iter_mut() {
            if claim.locks[domain] {
                let before = self.last.targets.locks[domain];
                *target = slower(*target, before.or(any[domain]));
            }
        }
    }
}
