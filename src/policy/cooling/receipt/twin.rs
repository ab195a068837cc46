//! The card as it would be without a guard: it draws what the card would draw at its full clock, gets
//! hotter by the fitted resistances, and slows itself down where the card would.

use super::curve::Curve;
use crate::policy::cooling::fitting::{Fit, Lags};

/// The lowest clock that a driver goes to by itself: chosen, since real ones aren't published.
const SLOWEST: f64 = 0.15;

/// It reaches the temperature that it holds within so many seconds. A driver is about as fast, and at
/// once would make a load of each reading's noise.
const REACHES_SECONDS: f64 = 10.0;

/// No card is described better by its fit: it has more masses than the fit has lags.
const UNCERTAINTY_LEAST: f64 = 0.1;
const UNCERTAINTY_MOST: f64 = 0.6;

/// As far as a card's own slowdown may hold it from the temperature that it tells, in °C.
const HOLDS_WITHIN: f64 = 1.5;

/// Which card the twin is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Like {
    /// As the fit says.
    Fit,
    /// As far from that as it may be, to the side where less is lost, or more.
    Better,
    Worse,
}

impl Like {
    pub(super) const ALL: [Self; 3] = [Self::Fit, Self::Better, Self::Worse];

    const fn side(self) -> f64 {
        match self {
            Self::Fit => 0.0,
            Self::Better => -1.0,
            Self::Worse => 1.0,
        }
    }
}

/// The card that the twin stands beside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'a> {
    pub(super) fit: &'a Fit,
    pub(super) curve: &'a Curve,
    /// In watts: now, at the full clock, and at the most.
    pub(super) draw: f64,
    pub(super) wanted: f64,
    pub(super) limit: f64,
    /// To the temperature at which it slows itself down.
    pub(super) margin: f64,
}

/// A card without a guard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Twin {
    like: Like,
    /// How much more it draws.
    more: Lags,
}

impl Twin {
    pub(super) fn new(like: Like) -> Self {
        Self {
            like,
            more: Lags::default(),
        }
    }

    /// Lets `step` seconds pass. Returns the share of the full clock that it has.
    pub(super) fn pass(&mut self, card: &Beside<'_>, step: f64) -> f64 {
        let full = card.wanted.min(card.limit.max(card.draw));
        let margin = card.margin - self.like.side() * HOLDS_WITHIN;
        let room = (margin - self.later(card.fit)) / self.grows(card.fit);
        let least = (card.wanted * card.curve.draw(SLOWEST)).min(full);
        let draws = (card.draw + room).clamp(least, full);
        self.more.move_to(draws - card.draw, step);
        card.curve.speed(draws / card.wanted).max(SLOWEST)
    }

    /// Lets `step` seconds pass with nothing to do.
    pub(super) fn rest(&mut self, step: f64) {
        self.more.move_to(0.0, step);
    }

    /// How much hotter it is than the card.
    pub(super) fn rise(&self, fit: &Fit) -> f64 {
        rise(&self.more, fit) * self.scale(fit)
    }

    /// The same after the time in which it reaches its temperature, if it draws what the card draws.
    fn later(&self, fit: &Fit) -> f64 {
        let mut more = self.more;
        more.move_to(0.0, REACHES_SECONDS);
        rise(&more, fit) * self.scale(fit)
    }

    /// By so much hotter then, for each watt more that it draws meanwhile.
    fn grows(&self, fit: &Fit) -> f64 {
        let mut more = Lags::default();
        more.move_to(1.0, REACHES_SECONDS);
        (rise(&more, fit) * self.scale(fit)).max(f64::MIN_POSITIVE)
    }

    /// A factor on the fitted resistances.
    fn scale(&self, fit: &Fit) -> f64 {
        let uncertainty = fit.uncertainty().hypot(UNCERTAINTY_LEAST);
        1.0 + self.like.side() * uncertainty.min(UNCERTAINTY_MOST)
    }
}

fn rise(more: &Lags, fit: &Fit) -> f64 {
    fit.rise(more.smoothed(), more.smoothed())
}
