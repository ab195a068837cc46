//! What regulates inside gradual: the governor, or the ladder alone. Cards without a power limit
//! have nothing to govern and are left to the ladder.

use crate::device::Facts;
use crate::units::{Moment, Watts};

use super::Settings;
use super::claim::Claim;
use super::governor::{Drive, Governor};
use super::knobs::Means;
use super::ladder::Ladder;
use super::rungs::{Rungs, Targets};
use super::zone::Heat;

/// Which policy is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RegulatorName {
    #[default]
    Governor,
    Ladder,
}

/// The regulator of one card.
#[derive(Clone, Debug)]
pub enum Regulator {
    Governor(Box<Governor>),
    Ladder(Box<Ladder>),
}

impl Regulator {
    pub fn new(settings: &Settings, facts: &Facts, means: &Means) -> Self {
        match (settings.regulator, means.power) {
            (RegulatorName::Governor, Some(power)) => {
                let floor = power.share_of_default(settings.gradual_floor);
                let rungs = Rungs::under_floor(settings, facts, means);
                Self::Governor(Box::new(Governor::new(power, floor, rungs)))
            }
            _ => Self::Ladder(Box::new(Ladder::new(Rungs::new(settings, facts, means)))),
        }
    }

    /// Every tick that sees, whatever the state.
    pub fn observe(&mut self, now: Moment, heat: &Heat, draw: Option<Watts>) {
        if let Self::Governor(governor) = self {
            governor.observe(now, heat, draw);
        }
    }

    pub fn regulate(&mut self, now: Moment, heat: &Heat, drive: Drive) {
        match self {
            Self::Governor(governor) => governor.regulate(now, heat, drive),
            Self::Ladder(ladder) => ladder.regulate(now, heat, drive),
        }
    }

    /// True when all is back.
    pub fn give_back(&mut self, now: Moment, heat: &Heat, original: Watts) -> bool {
        match self {
            Self::Governor(governor) => governor.give_back(now, heat, original),
            Self::Ladder(ladder) => ladder.give_back(now, heat),
        }
    }

    pub fn targets(&self) -> Targets {
        match self {
            Self::Governor(governor) => governor.targets(),
            Self::Ladder(ladder) => ladder.targets(),
        }
    }

    /// The card was opened anew and may have other limits, others are configured, or a knob turned out
    /// not to work.
    pub fn replace(&mut self, settings: &Settings, facts: &Facts, means: &Means) {
        match (&mut *self, Self::new(settings, facts, means)) {
            (Self::Governor(old), Self::Governor(new)) => old.replace(&new),
            (Self::Ladder(old), Self::Ladder(new)) => old.replace(new.rungs().clone()),
            (_, new) => *self = new,
        }
    }

    /// A dead guard left `claim`: goes on from there.
    pub fn adopt(&mut self, now: Moment, claim: &Claim) {
        match self {
            Self::Governor(governor) => governor.adopt(now, claim),
            Self::Ladder(ladder) => ladder.adopt(now, claim),
        }
    }

    /// A plan of other knobs goes on from what is wanted on the card.
    pub fn resume(&mut self, now: Moment, wanted: &Targets) {
        match self {
            Self::Governor(governor) => governor.resume(now, wanted),
            Self::Ladder(ladder) => ladder.resume(wanted),
        }
    }

    /// Nothing of the regulator's holds the card back.
    pub fn is_released(&self) -> bool {
        match self {
            Self::Governor(governor) => governor.is_released(),
            Self::Ladder(ladder) => ladder.is_released(),
        }
    }

    /// Nothing colder is left.
    pub fn is_exhausted(&self) -> bool {
        match self {
            Self::Governor(governor) => governor.is_exhausted(),
            Self::Ladder(ladder) => ladder.is_exhausted(),
        }
    }

    /// No other knob is left than what this rung regulates.
    pub fn is_on_last_rung(&self) -> bool {
        self.ladder().is_exhausted()
    }

    pub fn rungs(&self) -> &Rungs {
        self.ladder().rungs()
    }

    /// To the coldest there is: where an emergency hands over.
    pub fn bottom(&mut self, now: Moment) {
        match self {
            Self::Governor(governor) => governor.bottom(now),
            Self::Ladder(ladder) => ladder.bottom(now),
        }
    }

    pub fn reset(&mut self, now: Moment) {
        match self {
            Self::Governor(governor) => governor.reset(now),
            Self::Ladder(ladder) => ladder.reset(now),
        }
    }

    pub fn descend_to(&mut self, now: Moment, limit: Option<Watts>) {
        match self {
            Self::Governor(governor) => governor.descend_to(now, limit),
            Self::Ladder(ladder) => ladder.descend_to(now, limit),
        }
    }

    fn ladder(&self) -> &Ladder {
        match self {
            Self::Governor(governor) => governor.ladder(),
            Self::Ladder(ladder) => ladder,
        }
    }
}

#[cfg(test)]
mod tests;
