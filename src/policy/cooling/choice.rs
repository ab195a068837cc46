//! Which picture of a card's fans to believe.

use super::picture::PICTURES;

/// No more than this is remembered, in windows that tell a factor of e each.
const MOST: f64 = 10.0;

/// A spread is clearly wider than another from this factor on.
const APART: f64 = 1.5;

/// After so many windows without a clear answer it makes no difference: the fans hardly moved.
const LONG: usize = 24;

/// The choice between the pictures, over many windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Choice {
    /// How much better the fans' part explains the readings than without it.
    score: f64,
    chosen: Option<usize>,
}

impl Choice {
    /// As far as it was known before.
    pub(super) fn of(score: f64, windows: [usize; PICTURES]) -> Self {
        let mut choice = Self {
            score: score.clamp(-MOST, MOST),
            chosen: None,
        };
        choice.choose(windows);
        choice
    }

    pub(super) const fn score(&self) -> f64 {
        self.score
    }

    /// Takes what the fits of one window leave, without the fans' part and with it, where there are both.
    /// `windows`: how many good ones each picture has had.
    pub(super) fn take(&mut self, misfits: [Option<f64>; PICTURES], windows: [usize; PICTURES]) {
        if let [Some(without), Some(with)] = misfits {
            let told = (without.max(1e-3) / with.max(1e-3)).ln();
            self.score = (self.score + told.clamp(-1.0, 1.0)).clamp(-MOST, MOST);
        }
        self.choose(windows);
    }

    /// A picture whose resistance stays the same is right, and one whose resistance moves with the load
    /// is wrong, however well each explains an hour. `spreads`: how far the resistances of each spread.
    pub(super) fn compare(&mut self, spreads: [Option<f64>; PICTURES]) {
        let [Some(without), Some(with)] = spreads else {
            return;
        };
        if without > APART * with {
            self.chosen = Some(1);
        } else if with > APART * without {
            self.chosen = Some(0);
        }
    }

    /// Without a clear difference, the one that explains the readings better is chosen after long.
    fn choose(&mut self, windows: [usize; PICTURES]) {
        let better = usize::from(self.score > 0.0);
        if self.chosen.is_none() && windows[better] >= LONG {
            self.chosen = Some(better);
        }
    }

    pub(super) const fn is_made(&self) -> bool {
        self.chosen.is_some()
    }

    /// The chosen one, or the better one so far.
    pub(super) fn best(&self) -> usize {
        self.chosen.unwrap_or(usize::from(self.score > 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: [usize; PICTURES] = [LONG; PICTURES];

    #[test]
    fn the_picture_whose_resistance_stays_is_chosen() {
        let mut choice = Choice::default();
        choice.take([Some(1.0), Some(3.0)], [1, 1]);
        choice.compare([Some(0.1), None]);
        assert!(!choice.is_made());
        choice.compare([Some(0.1), Some(0.02)]);
        assert!(choice.is_made() && choice.best() == 1);
        choice.compare([Some(0.05), Some(0.06)]);
        assert_eq!(choice.best(), 1, "not clearly worse");
        choice.compare([Some(0.03), Some(0.06)]);
        assert_eq!(choice.best(), 0);
    }

    #[test]
    fn fans_that_hardly_move_make_no_difference() {
        let mut choice = Choice::default();
        choice.take([Some(1.0), Some(1.01)], [LONG - 1, LONG]);
        assert!(!choice.is_made());
        choice.take([Some(1.0), Some(1.01)], MANY);
        assert!(choice.is_made() && choice.best() == 0);
        let again = Choice::of(choice.score(), MANY);
        assert_eq!((again.is_made(), again.best()), (true, 0));
    }
}
