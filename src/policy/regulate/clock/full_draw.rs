//! How much a card can draw: the unit in which the governor thinks. A card that offers a power limit
//! tells it, even if that limit can't be set. On others it is the highest draw seen so far.

use crate::units::{Ratio, Watts};

/// A draw of more than this is the first reading of a higher full draw. It counts with the second.
const MOST: Ratio = Ratio::new(1.1);

/// The full draw of one card.
#[derive(Clone, Debug)]
pub(super) struct FullDraw {
    watts: Watts,
    /// The draw before. A single odd reading must not become the unit. `None`: the full draw is told.
    before: Option<Watts>,
}

impl FullDraw {
    /// `told`: the card's default limit, if it has one.
    pub(super) fn new(told: Option<Watts>) -> Self {
        Self {
            watts: told.unwrap_or_default(),
            before: told.is_none().then(Watts::default),
        }
    }

    pub(super) const fn is_learned(&self) -> bool {
        self.before.is_some()
    }

    /// `draw` as a share. With it, the factor on all shares so far, if the full draw is another now.
    pub(super) fn share(&mut self, draw: Watts) -> (Ratio, Option<Ratio>) {
        let Some(before) = self.before.replace(draw) else {
            self.before = None;
            return (draw.share_of(self.watts), None);
        };
        let factor = if self.watts == Watts::default() {
            self.watts = draw;
            None
        } else {
            let seen = draw.min(before);
            let is_higher = seen > self.watts;
            let old = self.watts;
            self.watts = old.max(seen);
            is_higher.then(|| old.share_of(seen))
        };
        (draw.share_of(self.watts).min(MOST), factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::number::near;

    const fn w(watts: u32) -> Watts {
        Watts::from_watts(watts)
    }

    #[test]
    fn a_default_limit_is_the_full_draw_for_good() {
        let mut full = FullDraw::new(Some(w(200)));
        for (draw, share) in [(100, 0.5), (300, 1.5), (300, 1.5), (50, 0.25)] {
            let (got, factor) = full.share(w(draw));
            assert!(near(got, share) && factor.is_none(), "{draw}");
        }
    }

    #[test]
    fn otherwise_it_is_the_highest_draw_that_was_read_twice() {
        let mut full = FullDraw::new(None);
        let mut read = |draw: u32| full.share(w(draw));
        assert!(near(read(20).0, 1.0));
        let (share, factor) = read(80);
        assert!(near(share, 1.1) && factor.is_none(), "may be odd");
        let (share, factor) = read(100);
        assert!(near(share, 1.1), "{share:?}");
        assert!(near(factor.unwrap(), 0.25), "20 of 80");
        let (share, factor) = read(40);
        assert!(near(share, 0.5) && factor.is_none());
        assert!(read(1000).1.is_none());
        let (share, factor) = read(80);
        assert!(near(share, 1.0) && factor.is_none(), "forgotten");
    }
}
