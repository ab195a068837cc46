//! One picture of a card: how its fans cool it, and what the readings say then.

use super::fitting::{Air, Fit, TARGETS, Window};
use super::history::{History, Kept};

/// The standard error of a fit that counts, as a share of the resistance; and of one that is better than
/// knowing nothing.
const GOOD: f64 = 0.04;
const FAIR: f64 = 0.15;

/// The most that a fit may leave, as a mean square in K². Recordings of two hours leave up to 1.9 °C of
/// two masses. Above, something has changed that isn't the load: a fan has failed, the room's cooling
/// has gone.
const MISFIT_MOST: f64 = 4.0;

/// What a window is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    /// The draw doesn't explain the readings.
    Nothing,
    /// It may, with more of them.
    Little,
    /// The resistance is well known.
    Good,
}

/// How the resistance follows the fans: not at all (a card without fans, or fans for show), or inverse
/// to their speed, as on six recorded cards.
pub(super) const PICTURES: usize = 2;

/// One picture of a card: how its fans cool it, and what follows from that.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) window: Window,
    pub(super) history: History,
    /// The newest fit of each target that is worth something.
    pub(super) fits: [Option<Fit>; TARGETS],
    /// It comes from a closed window.
    proven: bool,
}

impl Picture {
    /// Takes up what was known before a restart: the whole resistance, but not its parts.
    pub(super) fn recall(&mut self, kept: &Kept) {
        self.history = History::of(kept);
        let fit = self.history.resistance().map(Fit::recalled);
        self.fits = [fit; TARGETS];
    }

    /// Fits each target to the window so far; `air` is what is known of the air for each. Returns what
    /// the window tells of the core.
    pub(super) fn refit(&mut self, air: [Air; TARGETS]) -> Worth {
        let most = if self.proven { GOOD } else { FAIR };
        let mut worth = [Worth::Little; TARGETS];
        for (target, air) in air.into_iter().enumerate() {
            let Some(fit) = self.window.fit(target, air) else {
                continue;
            };
            worth[target] = worth_of(&fit);
            if worth[target] > Worth::Nothing && fit.uncertainty() <= most {
                self.fits[target] = Some(fit);
            }
        }
        worth[0]
    }

    /// Keeps the fit of the whole window, if it is good.
    pub(super) fn close(&mut self, air: Air) -> Option<Fit> {
        let fit = self.window.fit(0, air)?;
        if worth_of(&fit) == Worth::Good {
            self.history.add(fit.resistance());
            self.proven = true;
        }
        Some(fit)
    }
}

fn worth_of(fit: &Fit) -> Worth {
    if fit.misfit > MISFIT_MOST {
        Worth::Nothing
    } else if fit.uncertainty() > GOOD {
        Worth::Little
    } else {
        Worth::Good
    }
}
