//! How much power a card can draw for good at its set point, in the air that it has now.

use super::fitting::{Fit, LAGS, Lags};

/// Under alert, as the governor holds a card.
const SET_POINT: f64 = 0.5;

/// A card of which nothing is known: recorded ones rise by 27 to 108 °C at their default limit, most
/// of them by 35 to 60.
const TYPICAL_RISE: f64 = 52.0;
const TYPICAL_UNCERTAINTY: f64 = 0.5;

/// A worse estimate isn't shown: what is shown shall be within 10 %, its own errors included.
const UNCERTAINTY_MOST: f64 = 0.06;

/// So many errors from a number, it is surely on this side.
const SURE: f64 = 1.5;

/// Under this share of its default limit a card doesn't work.
const WORKS: f64 = 0.3;

/// The air moves slowly, and readings round.
const SMOOTH_SECONDS: f64 = 90.0;

/// The room that a card would have without any draw.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Headroom {
    smoothed: Option<f64>,
    /// The fit that it was made with.
    gains: [f64; LAGS],
}

/// A fit for a card that was never fitted.
pub(super) fn typical(default_watts: f64) -> Fit {
    let resistance = TYPICAL_RISE / default_watts.max(1.0);
    Fit::of(resistance, TYPICAL_UNCERTAINTY)
}

impl Headroom {
    /// `over`: degrees over alert now, negative under it. `lags`: of the draw, and of the draw in the
    /// air that the fans move.
    #[expect(clippy::float_cmp, reason = "another fit, or the same one")]
    pub(super) fn take(&mut self, step: f64, fit: &Fit, over: f64, lags: &[Lags; 2]) {
        let [draw, in_air] = lags.each_ref().map(Lags::smoothed);
        let room = -over + fit.rise(draw, in_air);
        if self.gains != fit.gains {
            self.gains = fit.gains;
            self.smoothed = None;
        }
        let before = self.smoothed.unwrap_or(room);
        let newest = 1.0 - (-step / SMOOTH_SECONDS).exp();
        self.smoothed = Some(before + (room - before) * newest);
    }

    /// `None`: it isn't known well enough. `slope`: what another draw does. `most`: what the card may
    /// draw, in watts.
    pub(super) fn watts(&self, fit: &Fit, slope: &Fit, lags: &[Lags; 2], most: f64) -> Option<f64> {
        let [draw, in_air] = lags.each_ref().map(Lags::slowest);
        // The factor on the resistance to the air.
        let fans = in_air / draw.max(1e-3);
        let steady = draw * fit.resistance_at(fans);
        let more = (self.smoothed? - SET_POINT - steady) / slope.resistance_at(fans);
        let watts = draw + more;
        // An error of the resistance only counts for the way from the present draw to that one.
        let error = more.abs() * slope.uncertainty();
        if watts - SURE * error >= most {
            return Some(most);
        }
        let known = error <= UNCERTAINTY_MOST * watts;
        (known && watts > 0.0).then_some(watts.min(most))
    }
}

/// The draw that is worth an estimate.
pub(super) fn works(draw: &Lags, default_watts: f64) -> bool {
    draw.slowest() >= WORKS * default_watts
}

/// What both of two estimates say. `None`: they don't agree.
pub(super) fn agreed([one, other]: [Option<f64>; 2]) -> Option<f64> {
    let (one, other) = (one?, other?);
    let middle = f64::midpoint(one, other);
    ((one - other).abs() <= UNCERTAINTY_MOST * middle).then_some(middle)
}
