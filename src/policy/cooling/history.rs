//! The resistances of one card, fit by fit: what it has now, and what it used to have.

use std::collections::VecDeque;

/// The median of the first so many fits is the baseline.
const BASELINE: usize = 12;

/// So many fits are remembered.
const MOST: usize = 24;

/// From so many fits on, it is known how far they spread.
const SPREAD_LEAST: usize = 8;

/// The median of so many is the present resistance: three bad hours in a row don't move it, and a
/// change shows after three.
const PRESENT: usize = 5;

/// A card that has cooled this much better for all of its last fits has been cleaned or moved. That is
/// its new baseline.
const BETTER: f64 = 0.92;

/// No card and no fit is outside this, in K/W: recorded cards have 0.05 to 0.4.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.005..=5.0;

/// What a resistance is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Than {
    /// The card itself, as it was.
    Before,
    /// The cards of its model beside it, as it was beside them.
    Neighbours,
}

impl Than {
    pub const ALL: [Self; 2] = [Self::Before, Self::Neighbours];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Neighbours => "neighbours",
        }
    }
}

/// A history as it outlives a restart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// In K/W, oldest first.
    pub fits: Vec<f64>,
    pub baseline: Option<f64>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct History {
    fits: VecDeque<f64>,
    baseline: Option<f64>,
}

impl History {
    /// A damaged record is no record.
    pub(super) fn of(kept: &Kept) -> Self {
        let plausible = |it: &f64| PLAUSIBLE.contains(it);
        let fits = kept.fits.iter().copied().filter(plausible);
        let skipped = kept.fits.len().saturating_sub(MOST);
        Self {
            fits: fits.skip(skipped).collect(),
            baseline: kept.baseline.filter(plausible),
        }
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            fits: self.fits.iter().copied().collect(),
            baseline: self.baseline,
        }
    }

    pub(super) fn add(&mut self, resistance: f64) {
        if !PLAUSIBLE.contains(&resistance) {
            return;
        }
        self.fits.push_back(resistance);
        if self.fits.len() > MOST {
            self.fits.pop_front();
        }
        let all = median(self.fits.iter().copied());
        let first = self.baseline.is_none() && self.fits.len() >= BASELINE;
        let better = all.zip(self.baseline);
        let better = better.is_some_and(|(all, baseline)| all < baseline * BETTER);
        if first || (better && self.fits.len() == MOST) {
            self.baseline = all;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.fits.len()
    }

    /// How far the fits are from their median, as a share of it: the median of that.
    pub(super) fn spread(&self) -> Option<f64> {
        let middle = median(self.fits.iter().copied())?;
        let off = self.fits.iter().map(|fit| (fit / middle - 1.0).abs());
        median(off).filter(|_| self.fits.len() >= SPREAD_LEAST)
    }

    pub(super) fn resistance(&self) -> Option<f64> {
        let last = self.fits.iter().rev().take(PRESENT);
        median(last.copied()).filter(|_| self.fits.len() >= PRESENT.div_ceil(2))
    }

    pub(super) const fn baseline(&self) -> Option<f64> {
        self.baseline
    }
}

/// `None`: of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        Some(*upper)
    } else {
        Some(f64::midpoint(sorted[middle - 1], *upper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, wanted: f64) -> bool {
        found.is_some_and(|found| (found - wanted).abs() < 1e-9)
    }

    fn of(fits: &[f64]) -> History {
        let mut history = History::default();
        for fit in fits {
            history.add(*fit);
        }
        history
    }

    #[test]
    fn a_baseline_takes_half_a_day_of_fits_and_then_stays() {
        assert_eq!(of(&[0.1; 11]).baseline(), None);
        let mut history = of(&[0.1; 12]);
        assert!(near(history.baseline(), 0.1));
        for _ in 0..100 {
            history.add(0.12);
        }
        assert!(near(history.baseline(), 0.1), "dust doesn't become normal");
        assert!(near(history.resistance(), 0.12));
    }

    #[test]
    fn two_wrong_fits_move_nothing_and_a_third_does() {
        let mut history = of(&[0.1; 24]);
        history.add(0.3);
        history.add(0.3);
        assert!(near(history.resistance(), 0.1));
        history.add(0.3);
        assert!(near(history.resistance(), 0.3));
    }

    #[test]
    fn a_card_that_was_cleaned_gets_a_new_baseline() {
        let mut history = of(&[0.12; 24]);
        for _ in 0..24 {
            history.add(0.1);
        }
        assert!(near(history.baseline(), 0.1));
    }

    #[test]
    fn a_history_survives_a_restart_and_nonsense_does_not() {
        let history = of(&[0.1; 30]);
        let again = History::of(&history.kept());
        assert_eq!(again.kept(), history.kept());
        let odd = Kept {
            fits: vec![f64::NAN, -1.0, 0.2, 1e9],
            baseline: Some(0.0),
        };
        let read = History::of(&odd).kept();
        assert_eq!(read.fits, [0.2]);
        assert_eq!(read.baseline, None);
    }
}
