//! The power limit as a dial: a setting is the draw that it allows.

use crate::device::{ByClock, PowerConstraints};
use crate::policy::claim::Claim;
use crate::policy::knobs::GRAIN;
use crate::policy::types::targets::Targets;
use crate::units::{Moment, Ratio, Watts};

use super::dial::{Dial, DrawRead, Locks};
use super::drive::{BINDS, Drive};

/// More than any card's highest limit, as a share of its default limit.
const SHARE_MAX: Ratio = Ratio::new(2.0);

/// A limit this near to the original goes back in one step, in shares of the default limit.
const NEAR: Ratio = Ratio::new(0.08);

/// The power limit of one card.
#[derive(Clone, Debug)]
pub struct LimitDial {
    default_limit: Watts,
    floor: Watts,
    minimum: Watts,
}

impl LimitDial {
    pub const fn new(power: PowerConstraints, floor: Watts) -> Self {
        Self {
            default_limit: power.default,
            floor,
            minimum: power.min,
        }
    }
}

impl Dial for LimitDial {
    type Setting = Watts;

    const IS_EXACT: bool = true;

    fn read(&mut self, _now: Moment, drive: &Drive, _own: Option<Watts>) -> DrawRead {
        DrawRead {
            share: drive.draw.map(|draw| self.share(draw)),
            factor: None,
        }
    }

    fn replace(&mut self, new: &Self) {
        self.clone_from(new);
    }

    fn floor(&self) -> Watts {
        self.floor
    }

    fn minimum(&self) -> Watts {
        self.minimum
    }

    fn original(&self, drive: &Drive) -> Watts {
        drive.original
    }

    fn on_card(&self, drive: &Drive, own: Option<Watts>) -> Watts {
        drive.limit.or(own).unwrap_or(drive.original)
    }

    fn share(&self, limit: Watts) -> Ratio {
        limit.share_of(self.default_limit)
    }

    fn setting(&self, _from: Watts, share: Ratio) -> Watts {
        self.default_limit
            .scaled(share.clamp(Ratio::ZERO, SHARE_MAX))
    }

    fn knows_draw(&self) -> bool {
        true
    }

    fn has_step(&self, _from: Watts, _share: Ratio) -> bool {
        true
    }

    fn binds(&self, on_card: Watts, draw: Ratio) -> bool {
        draw >= self.share(on_card) * BINDS
    }

    fn is_floored(&self, limit: Watts) -> bool {
        limit.saturating_sub(self.floor) <= GRAIN
    }

    fn is_under_floor(&self, limit: Watts) -> bool {
        limit < self.floor
    }

    fn halfway(&self, limit: Watts, original: Watts) -> Option<Watts> {
        let gap = original.saturating_sub(limit);
        let halfway = Watts::from_milliwatts(limit.milliwatts() + gap.milliwatts() / 2);
        (gap > self.default_limit.scaled(NEAR)).then_some(halfway)
    }

    fn targets(&self, limit: Option<Watts>, rung: Targets) -> Targets {
        Targets { limit, ..rung }
    }

    fn wanted(&self, targets: &Targets) -> Option<Watts> {
        targets.limit
    }

    fn left(&self, claim: &Claim, _locks: &Locks) -> Option<Watts> {
        claim.limit.map(|ours| ours.next)
    }

    fn has_other_lock(&self, locks: &ByClock<bool>) -> bool {
        locks.iter().any(|(_, held)| *held)
    }
}
