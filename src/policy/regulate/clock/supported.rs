//! The clocks that a ceiling can be set to.

use crate::device::Facts;
use crate::units::{Megahertz, Ratio};

/// The step where the card lists no clocks: cards from Pascal on count in it, or in its half.
pub(super) const STEP: u32 = 15;

/// The clocks of one card.
#[derive(Clone, Debug)]
pub(super) struct Supported {
    highest: Megahertz,
    /// Highest first. Empty: the card lists none, so its clocks are [`STEP`] apart.
    listed: Vec<Megahertz>,
}

impl Supported {
    /// `None`: the card's clock can't be locked.
    pub(super) fn of(facts: &Facts) -> Option<Self> {
        let highest = facts.gpu_clock_max?;
        // A list of one leaves nothing to choose.
        let listed = match facts.gpu_clocks.len() {
            0 | 1 => Vec::new(),
            _ => facts.gpu_clocks.clone(),
        };
        Some(Self { highest, listed })
    }

    pub(super) const fn highest(&self) -> Megahertz {
        self.highest
    }

    /// The highest clock at or below `clock`, or the lowest of all.
    pub(super) fn at_or_below(&self, clock: Megahertz) -> Megahertz {
        if clock >= self.highest {
            return self.highest;
        }
        if let Some(lowest) = self.listed.last() {
            let found = self.listed.iter().find(|listed| **listed <= clock);
            return *found.unwrap_or(lowest);
        }
        let steps = self
            .highest
            .saturating_sub(clock)
            .megahertz()
            .div_ceil(STEP);
        self.highest.saturating_sub(Megahertz::new(steps * STEP))
    }

    /// `share` of the highest clock, or the next lower one.
    pub(super) fn lowest(&self, share: Ratio) -> Megahertz {
        let clock = self.highest.scaled(share);
        if self.listed.is_empty() {
            clock
        } else {
            self.at_or_below(clock)
        }
    }

    /// The lowest clock of at least `share` of the highest; if only the highest is, the next one.
    pub(super) fn floor(&self, share: Ratio) -> Megahertz {
        let least = self.highest.scaled(share);
        if self.listed.is_empty() {
            return least;
        }
        let above = self.listed.iter().rev().find(|listed| **listed >= least);
        let lower = above.filter(|above| **above < self.highest);
        lower.copied().unwrap_or_else(|| self.at_or_below(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mhz(megahertz: u32) -> Megahertz {
        Megahertz::new(megahertz)
    }

    fn of(listed: &[u32]) -> Supported {
        Supported::of(&Facts {
            gpu_clock_max: Some(mhz(2000)),
            gpu_clocks: listed.iter().copied().map(mhz).collect(),
            ..Facts::default()
        })
        .unwrap()
    }

    #[test]
    fn a_card_that_names_no_highest_clock_has_no_ceiling() {
        assert!(Supported::of(&Facts::default()).is_none());
    }

    #[test]
    fn without_a_list_the_clocks_are_fifteen_megahertz_apart() {
        for list in [&[][..], &[2000]] {
            let clocks = of(list);
            for (asked, got) in [
                (9000, 2000),
                (2000, 2000),
                (1999, 1985),
                (1985, 1985),
                (1984, 1970),
                (3, 0),
            ] {
                assert_eq!(clocks.at_or_below(mhz(asked)), mhz(got), "{asked}");
            }
        }
    }

    #[test]
    fn a_list_is_taken_as_it_is() {
        let clocks = of(&[2000, 1700, 1100, 300]);
        for (asked, got) in [
            (2001, 2000),
            (1999, 1700),
            (1100, 1100),
            (1099, 300),
            (10, 300),
        ] {
            assert_eq!(clocks.at_or_below(mhz(asked)), mhz(got), "{asked}");
        }
    }

    #[test]
    fn the_floor_is_no_lower_than_its_share_unless_nothing_else_is_left() {
        assert_eq!(of(&[]).floor(Ratio::new(0.5)), mhz(1000));
        assert_eq!(
            of(&[2000, 1700, 1100, 300]).floor(Ratio::new(0.5)),
            mhz(1100)
        );
        assert_eq!(of(&[2000, 1000, 300]).floor(Ratio::new(0.5)), mhz(1000));
        assert_eq!(of(&[2000, 900, 300]).floor(Ratio::new(0.5)), mhz(900));
        assert_eq!(of(&[]).floor(Ratio::WHOLE), mhz(2000));
    }
}
