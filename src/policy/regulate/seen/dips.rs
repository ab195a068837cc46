//! Draws that only one tick saw.

use crate::units::Ratio;

/// The last two draws. A momentary reading now and then catches a moment at which a busy card does
/// little; its temperature doesn't follow. A fall is believed on its second tick.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::policy::regulate) struct Dips {
    before: Option<[Ratio; 2]>,
}

/// A draw without what only one tick saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::policy::regulate) struct Smoothed {
    /// The draw, but for a fall on its first tick.
    pub(in crate::policy::regulate) lasting: Ratio,
    /// The one in the middle of the last three.
    pub(in crate::policy::regulate) middle: Ratio,
}

impl Dips {
    /// Takes the next draw. `binds`: it is what the setting on the card allows, so a fall to it is no dip.
    pub(in crate::policy::regulate) fn pass(&mut self, draw: Ratio, binds: Bound) -> Smoothed {
        let [last, first] = self.before.unwrap_or([draw, draw]);
        self.before = Some([draw, last]);
        let middle = last.min(first).max(draw.min(last.max(first)));
        let lasting = match binds {
            Bound::BySetting => draw,
            Bound::ByLoad => draw.max(last.min(first)),
        };
        Smoothed { lasting, middle }
    }
}

/// What holds the draw where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy::regulate) enum Bound {
    BySetting,
    ByLoad,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_of_one_tick_is_none_and_a_rise_is_at_once() {
        let mut dips = Dips::default();
        let draws = [0.7, 0.7, 0.3, 0.7, 0.3, 0.3, 0.8];
        let seen = draws.map(|draw| dips.pass(Ratio::new(draw), Bound::ByLoad));
        let lasting = [0.7, 0.7, 0.7, 0.7, 0.3, 0.3, 0.8].map(Ratio::new);
        let middle = [0.7, 0.7, 0.7, 0.7, 0.3, 0.3, 0.3].map(Ratio::new);
        assert_eq!(seen.map(|seen| seen.lasting), lasting);
        assert_eq!(seen.map(|seen| seen.middle), middle);
    }

    #[test]
    fn a_fall_to_a_lower_limit_is_no_dip() {
        let mut dips = Dips::default();
        dips.pass(Ratio::new(0.9), Bound::BySetting);
        let fallen = dips.pass(Ratio::new(0.7), Bound::BySetting);
        assert_eq!(fallen.lasting, Ratio::new(0.7));
    }
}
