//! The regulator inside gradual: a governor of the power limit, a governor of the SM clock's ceiling where
//! there is no limit to set, or the ladder alone.

use std::time::Duration;

use crate::device::ClockDomain::Gpu;
use crate::device::{Facts, PowerConstraints};
use crate::policy::claim::Claim;
use crate::policy::knobs::Means;
use crate::policy::sense::trips::Heat;
use crate::policy::types::settings::{PolicyName, Settings};
use crate::policy::types::targets::Targets;
use crate::units::{CelsiusDelta, Moment, Ratio};

use super::clock::ceiling::CeilingDial;
use super::dial::Locks;
use super::drive::Drive;
use super::governor::Governor;
use super::ladder::Ladder;
use super::limit::LimitDial;
use super::rungs::Rungs;

/// The regulator of one card.
#[derive(Clone, Debug)]
pub enum Regulator {
    Limit(Box<Governor<LimitDial>>),
    Ceiling(Box<Governor<CeilingDial>>),
    Ladder(Box<Ladder>),
}

/// The same of each.
macro_rules! each {
    ($regulator:expr, $it:ident => $of:expr) => {
        match $regulator {
            Self::Limit($it) => $of,
            Self::Ceiling($it) => $of,
            Self::Ladder($it) => $of,
        }
    };
}

impl Regulator {
    pub fn new(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let facts = &*settings.within_own_clock(facts);
        match settings.regulator {
            PolicyName::Governor => Self::governor(settings, facts, means),
            PolicyName::Ladder => {
                Self::Ladder(Box::new(Ladder::new(Rungs::new(settings, facts, means))))
            }
        }
    }

    fn governor(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        let ceiling = CeilingDial::new(facts, settings.clock_floor).filter(|_| means.locks[Gpu]);
        // A limit that failed before is tried beside the clock. Until it works, the clock governs.
        match (means.power, ceiling) {
            (Some(power), None) => Self::limit(settings, facts, means, power),
            (Some(power), _) if !means.power_failed => Self::limit(settings, facts, means, power),
            (_, Some(ceiling)) => {
                let rungs = Rungs::under_ceiling(settings, facts, means, &ceiling);
                Self::Ceiling(Box::new(Governor::new(ceiling, rungs)))
            }
            (None, None) => Self::Ladder(Box::new(Ladder::new(Rungs::new(settings, facts, means)))),
        }
    }

    fn limit(settings: &Settings, facts: &Facts, means: &Means, power: PowerConstraints) -> Self {
        let floor = power.share_of_default(settings.gradual_floor);
        let rungs = Rungs::under_floor(settings, facts, means);
        Self::Limit(Box::new(Governor::new(LimitDial::new(power, floor), rungs)))
    }

    /// Whether these settings, on this card, ask for a regulator of this kind.
    pub fn is_of(&self, settings: &Settings, facts: &Facts, means: &Means) -> bool {
        let wanted = Self::new(settings, facts, means);
        std::mem::discriminant(self) == std::mem::discriminant(&wanted)
    }

    /// Call this on every tick with a temperature, in every state.
    pub fn observe(&mut self, now: Moment, heat: &Heat, drive: &Drive) {
        match self {
            Self::Limit(governor) => governor.observe(now, heat, drive),
            Self::Ceiling(governor) => governor.observe(now, heat, drive),
            Self::Ladder(_) => {}
        }
    }

    /// How far over alert the temperature will be after `ahead` at the present draw. `None`: nothing
    /// here foresees it.
    pub fn forecast(&self, ahead: Duration) -> Option<CelsiusDelta> {
        match self {
            Self::Limit(governor) => Some(governor.forecast(ahead)),
            Self::Ceiling(governor) => Some(governor.forecast(ahead)),
            Self::Ladder(_) => None,
        }
    }

    /// The same at this draw, a share of the full one.
    pub fn forecast_at(&self, draw: Ratio, ahead: Duration) -> Option<CelsiusDelta> {
        match self {
            Self::Limit(governor) => Some(governor.forecast_at(draw, ahead)),
            Self::Ceiling(governor) => Some(governor.forecast_at(draw, ahead)),
            Self::Ladder(_) => None,
        }
    }

    /// The present draw, a share of the full one. `None`: nothing here knows it.
    pub fn draw(&self) -> Option<Ratio> {
        match self {
            Self::Limit(governor) => Some(governor.draw()),
            Self::Ceiling(governor) => Some(governor.draw()),
            Self::Ladder(_) => None,
        }
    }

    pub fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        each!(self, it => it.regulate(now, heat, drive));
    }

    /// True: the GPU has everything back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat, drive: &Drive) -> bool {
        match self {
            Self::Limit(governor) => governor.give_back(now, heat, drive),
            Self::Ceiling(governor) => governor.give_back(now, heat, drive),
            Self::Ladder(ladder) => ladder.give_back(now, heat),
        }
    }

    pub fn targets(&self) -> Targets {
        each!(self, it => it.targets())
    }

    /// The card was opened again and may have other limits, the configuration changed, or a knob
    /// turned out not to work.
    pub fn replace(&mut self, settings: &Settings, facts: &Facts, means: &Means) {
        match (&mut *self, Self::new(settings, facts, means)) {
            (Self::Limit(old), Self::Limit(new)) => old.replace(&new),
            (Self::Ceiling(old), Self::Ceiling(new)) => old.replace(&new),
            (Self::Ladder(old), Self::Ladder(new)) => old.replace(new.rungs().clone()),
            (Self::Limit(old), Self::Ceiling(mut new)) => {
                new.inherit(&**old);
                *self = Self::Ceiling(new);
            }
            (Self::Ceiling(old), Self::Limit(mut new)) => {
                new.inherit(&**old);
                *self = Self::Limit(new);
            }
            (_, new) => *self = new,
        }
    }

    /// Continues from the claim that a previous guard left. `locks`: the slowest that may be on the
    /// card.
    pub fn adopt(&mut self, now: Moment, claim: &Claim, locks: &Locks) {
        match self {
            Self::Limit(governor) => governor.adopt(now, claim, locks),
            Self::Ceiling(governor) => governor.adopt(now, claim, locks),
            Self::Ladder(ladder) => ladder.adopt(now, claim),
        }
    }

    /// The plan has other knobs now. Continues from the current targets.
    pub fn resume(&mut self, now: Moment, wanted: &Targets) {
        match self {
            Self::Limit(governor) => governor.resume(now, wanted),
            Self::Ceiling(governor) => governor.resume(now, wanted),
            Self::Ladder(ladder) => ladder.resume(wanted),
        }
    }

    /// The regulator doesn't hold the card back.
    pub fn is_released(&self) -> bool {
        each!(self, it => it.is_released())
    }

    /// There are no colder targets.
    pub fn is_exhausted(&self) -> bool {
        each!(self, it => it.is_exhausted())
    }

    /// The clock takes the place of the limit.
    pub const fn is_by_clock(&self) -> bool {
        matches!(self, Self::Ceiling(_))
    }

    /// No knob is left beside those of this rung.
    pub fn is_on_last_rung(&self) -> bool {
        self.ladder().is_exhausted()
    }

    pub fn rungs(&self) -> &Rungs {
        self.ladder().rungs()
    }

    /// Goes to the coldest targets there are: an emergency hands over there.
    pub fn bottom(&mut self, now: Moment) {
        each!(self, it => it.bottom(now));
    }

    pub fn reset(&mut self, now: Moment) {
        each!(self, it => it.reset(now));
    }

    /// Goes no higher than the cap of a blind guard.
    pub fn descend_to(&mut self, now: Moment, cap: &Targets) {
        match self {
            Self::Limit(governor) => governor.descend_to(now, cap),
            Self::Ceiling(governor) => governor.descend_to(now, cap),
            Self::Ladder(ladder) => ladder.descend_to(now, cap),
        }
    }

    fn ladder(&self) -> &Ladder {
        match self {
            Self::Limit(governor) => governor.ladder(),
            Self::Ceiling(governor) => governor.ladder(),
            Self::Ladder(ladder) => ladder,
        }
    }
}

#[cfg(test)]
mod tests;
