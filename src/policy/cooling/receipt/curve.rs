//! How the clock of a card follows its draw.

use std::ops::RangeInclusive;

/// Relative clock over relative draw. Zeus traces (NSDI'23, ml-energy/zeus, Apache-2.0): V100, mean of
/// 21 power-bound trainings. Below 40 % extrapolated towards the lowest clock.
const USUAL: [(f64, f64); 9] = [
    (0.0, 0.0),
    (0.15, 0.15),
    (0.4, 0.57),
    (0.5, 0.72),
    (0.6, 0.84),
    (0.7, 0.91),
    (0.8, 0.95),
    (0.9, 0.99),
    (1.0, 1.0),
];

/// The clock of the usual curve, to the power of this, is the clock of a card: before a throttle shows
/// it, and the range of it. An A40 has 0.8, a GTX 1080 Ti 1.4, an RTX 4000 Ada 5.
const STEEPNESS: f64 = 1.2;
const STEEPNESS_RANGE: RangeInclusive<f64> = 0.5..=6.0;

/// The first guess counts as much as this.
const GUESS_SECONDS: f64 = 60.0;

/// Nearer to the full clock and the full draw, rounding decides.
const TELLING: f64 = 0.97;

/// Loads differ, so the mean of about this long counts.
const MEMORY_SECONDS: f64 = 1800.0;

/// The curve of one card, as far as throttles have shown it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curve {
    steepness: f64,
    /// For how long it was seen.
    seen: f64,
}

impl Default for Curve {
    fn default() -> Self {
        Self {
            steepness: STEEPNESS,
            seen: GUESS_SECONDS,
        }
    }
}

impl Curve {
    /// The load ran at this share of its full clock and of its full draw for `step` seconds.
    pub(super) fn learn(&mut self, speed: f64, draw: f64, step: f64) {
        if speed >= TELLING || draw >= TELLING || speed <= 0.0 || draw <= 0.0 {
            return;
        }
        let told = speed.ln() / usual_speed(draw).ln();
        if !STEEPNESS_RANGE.contains(&told) {
            // Another load than the one whose full draw is known.
            return;
        }
        self.seen = (self.seen + step).min(MEMORY_SECONDS);
        self.steepness += (told - self.steepness) * (step / self.seen).min(1.0);
    }

    /// The share of the full clock at this share of the full draw.
    pub(super) fn speed(&self, draw: f64) -> f64 {
        usual_speed(draw).powf(self.steepness)
    }

    /// The share of the full draw at this share of the full clock.
    pub(super) fn draw(&self, speed: f64) -> f64 {
        let speed = speed.clamp(0.0, 1.0).powf(1.0 / self.steepness);
        between(speed, USUAL.map(|(draw, speed)| (speed, draw)))
    }
}

fn usual_speed(draw: f64) -> f64 {
    between(draw.clamp(0.0, 1.0), USUAL)
}

/// On the line through the points, at `x`.
fn between(x: f64, points: [(f64, f64); USUAL.len()]) -> f64 {
    let mut last = points[0];
    for point in points {
        if x <= point.0 {
            let width = point.0 - last.0;
            let share = if width > 0.0 {
                (x - last.0) / width
            } else {
                1.0
            };
            return last.1 + (point.1 - last.1) * share;
        }
        last = point;
    }
    last.1
}
