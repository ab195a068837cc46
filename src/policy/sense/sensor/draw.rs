//! The draw of a card: a short average of it, and the scale for its changes.

use crate::units::{Moment, Watts};

/// The average is over this time, so that single odd samples don't count.
const AVERAGE_SECONDS: f64 = 5.0;

/// The scale of a card without a default limit is its highest draw so far, and at least this.
/// Chosen, because an idle card's draw moves by some watts.
const LEAST_SCALE: f64 = 50.0;

/// The scale of a card with a default limit is also its highest draw so far, and at least this
/// share of the limit. The coolest cards that were recorded rise by 27 °C at their default limit: a
/// fifth of this share moves them by 4 °C.
const LEAST_SHARE: f64 = 0.75;

/// The averaged draw, and the scale for its changes.
#[derive(Clone, Debug)]
pub(crate) struct Draw {
    default_limit: Option<f64>,
    highest: f64,
    average: Option<(Moment, f64)>,
}

impl Draw {
    pub(crate) fn new(default_limit: Option<Watts>) -> Self {
        Self {
            default_limit: default_limit.map(Watts::as_f64),
            highest: 0.0,
            average: None,
        }
    }

    /// Another driver may give another limit.
    pub(crate) fn set_default_limit(&mut self, limit: Option<Watts>) {
        self.default_limit = limit.map(Watts::as_f64);
    }

    pub(crate) fn scale(&self) -> f64 {
        let highest = self.highest.max(LEAST_SCALE);
        let default = self.default_limit.filter(|it| *it > 0.0);
        default.map_or(highest, |limit| highest.clamp(LEAST_SHARE * limit, limit))
    }

    /// The next values are another measure.
    pub(crate) fn restart(&mut self) {
        self.average = None;
    }

    /// The average including this reading. `None`: there is no reading.
    pub(crate) fn average(&mut self, now: Moment, draw: Option<Watts>) -> Option<f64> {
        let Some(draw) = draw.map(Watts::as_f64) else {
            self.average = None;
            return None;
        };
        let average = self.average.map_or(draw, |(at, was)| {
            let step = now.since(at).as_secs_f64();
            was + (draw - was) * (step / AVERAGE_SECONDS).min(1.0)
        });
        self.highest = self.highest.max(average);
        self.average = Some((now, average));
        Some(average)
    }
}
