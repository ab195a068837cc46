//! A dial is the knob that a governor turns up and down: the power limit, or the ceiling of the SM
//! clock. The governor thinks in shares of the card's full draw; the dial knows which setting allows
//! which draw.

use std::fmt::Debug;

use crate::device::{ByClock, ClockRange};
use crate::policy::claim::Claim;
use crate::policy::types::targets::Targets;
use crate::units::{Moment, Ratio};

use super::drive::Drive;

/// What a governor turns.
pub trait Dial: Clone + Debug {
    /// Higher is more power.
    type Setting: Copy + Ord + Debug;

    /// A setting allows the same draw under every load.
    const IS_EXACT: bool;

    /// Takes one reading, in every state of the GPU. `own`: the governor's setting, if it has one.
    fn read(&mut self, now: Moment, drive: &Drive, own: Option<Self::Setting>) -> DrawRead;

    /// Continues with the constants of `new`, and with what was learned.
    fn replace(&mut self, new: &Self);

    /// The lowest setting while other knobs are left.
    fn floor(&self) -> Self::Setting;

    /// The lowest setting of all.
    fn minimum(&self) -> Self::Setting;

    /// The setting from before the guard. It is never exceeded.
    fn original(&self, drive: &Drive) -> Self::Setting;

    /// The setting to plan from: the one on the card, if it is known.
    fn on_card(&self, drive: &Drive, own: Option<Self::Setting>) -> Self::Setting;

    /// The draw that `setting` allows.
    fn share(&self, setting: Self::Setting) -> Ratio;

    /// The setting that allows a draw of `share`, as seen from the setting `from`.
    fn setting(&self, from: Self::Setting, share: Ratio) -> Self::Setting;

    /// The draw at a setting is known or can be read. Otherwise a small step up may turn out to be a large
    /// one.
    fn knows_draw(&self) -> bool;

    /// There is a step from `from` towards a draw of `share`.
    fn has_step(&self, from: Self::Setting, share: Ratio) -> bool;

    /// The setting on the card holds it back at a draw of `draw`.
    fn binds(&self, on_card: Self::Setting, draw: Ratio) -> bool;

    /// `setting` is the floor or lower, but for rounding.
    fn is_floored(&self, setting: Self::Setting) -> bool;

    /// `setting` is lower than the floor, by more than rounding.
    fn is_under_floor(&self, setting: Self::Setting) -> bool;

    /// Half of the way back to `original`. `None`: it is near enough to go there at once.
    fn halfway(&self, setting: Self::Setting, original: Self::Setting) -> Option<Self::Setting>;

    /// `rung`, with `setting` for this dial.
    fn targets(&self, setting: Option<Self::Setting>, rung: Targets) -> Targets;

    /// The setting for this dial in `targets`.
    fn wanted(&self, targets: &Targets) -> Option<Self::Setting>;

    /// The setting that a previous guard left. `locks`: the slowest locks that may be on the card.
    fn left(&self, claim: &Claim, locks: &Locks) -> Option<Self::Setting>;

    /// `locks` has one that this dial doesn't turn.
    fn has_other_lock(&self, locks: &ByClock<bool>) -> bool;
}

/// The range of each clock lock that may be on the card.
pub type Locks = ByClock<Option<ClockRange>>;

/// The draw of a tick, as a share of the full draw.
#[derive(Clone, Copy, Debug, Default)]
pub struct DrawRead {
    /// `None`: it is unknown.
    pub share: Option<Ratio>,
    /// The full draw is another than was thought: multiply all shares so far by this.
    pub factor: Option<Ratio>,
}
