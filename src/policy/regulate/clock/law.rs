//! How the draw follows the clock: a power law, whose exponent is learned from the governor's own
//! steps.
//!
//! The draw of a chip grows with the clock times the square of the voltage. Near the highest clock
//! the voltage climbs steeply, at low clocks it doesn't move at all. So the exponent differs between
//! cards, and along the way down. It must only be about right: the next reading shows the draw, and
//! the governor corrects the rest.

use crate::units::{Megahertz, Ratio};

/// The exponent before anything was learned. If it is too high, a step is too small and the next one
/// follows within seconds; if it is too low, a step costs speed that comes back slowly.
const TYPICAL: Ratio = Ratio::new(2.5);

/// A card under a memory-bound load hardly follows its clock. At the other end, the last tenth of the
/// clock costs some cards a third of the draw, and the last fiftieth of it a sixth.
const LOWEST: Ratio = Ratio::new(1.0);
const HIGHEST: Ratio = Ratio::new(8.0);

/// An exponent outside this is another load, and not learned from.
const PLAUSIBLE: [Ratio; 2] = [Ratio::new(0.3), Ratio::new(12.0)];

/// A step of this much of the clock, or of the draw, tells the exponent well enough to count for two
/// thirds. Smaller ones count for less: draws are noisy.
const TELLING: Ratio = Ratio::new(0.06);
const TELLING_DRAW: Ratio = Ratio::new(0.1);
const MOST: Ratio = Ratio::new(0.67);

/// A clock, and the draw at it as a share of the full draw.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) clock: Megahertz,
    pub(super) draw: Ratio,
}

/// The law of one card, as it is known.
#[derive(Clone, Debug)]
pub(super) struct Law {
    exponent: Ratio,
}

impl Default for Law {
    fn default() -> Self {
        Self { exponent: TYPICAL }
    }
}

impl Law {
    /// The draw at `clock`.
    pub(super) fn draw(&self, known: Point, clock: Megahertz) -> Ratio {
        known.draw * clock.share_of(known.clock).pow(self.exponent)
    }

    /// The clock at a draw of `draw`.
    pub(super) fn clock(&self, known: Point, draw: Ratio) -> Megahertz {
        let times = draw
            .share_of(known.draw)
            .pow(Ratio::WHOLE.share_of(self.exponent));
        known
            .clock
            .scaled(times.clamp(Ratio::ZERO, Ratio::new(10.0)))
    }

    /// A step led from one point to the other.
    pub(super) fn learn(&mut self, from: Point, to: Point) {
        let step = to.clock.share_of(from.clock).ln();
        if step.abs() < Ratio::new(0.002) {
            return;
        }
        let sign = if step < Ratio::ZERO { -1.0 } else { 1.0 };
        let change = to.draw.share_of(from.draw).ln() * Ratio::new(sign);
        let told = change.share_of(step.abs());
        let [low, high] = PLAUSIBLE;
        if told < low || told > high {
            return;
        }
        let telling = step.abs().share_of(TELLING);
        let telling = telling.max(change.abs().share_of(TELLING_DRAW));
        let weight = MOST * telling.min(Ratio::WHOLE);
        let told = told.clamp(LOWEST, HIGHEST);
        self.exponent = self.exponent + (told - self.exponent) * weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::number::near;

    const fn point(clock: u32, draw: f64) -> Point {
        Point {
            clock: Megahertz::new(clock),
            draw: Ratio::new(draw),
        }
    }

    fn of(exponent: f64) -> Law {
        Law {
            exponent: Ratio::new(exponent),
        }
    }

    #[test]
    fn the_clock_for_a_draw_is_the_one_that_draws_it() {
        for exponent in [1.0, 2.5, 5.0] {
            let law = of(exponent);
            for draw in [0.3, 0.6, 0.8, 1.0] {
                let clock = law.clock(point(10_000, 0.8), Ratio::new(draw));
                let back = law.draw(point(10_000, 0.8), clock).value();
                assert!((back - draw).abs() < 0.001, "{exponent} {draw}: {back}");
            }
        }
    }

    #[test]
    fn steps_teach_the_exponent() {
        let mut law = Law::default();
        for (from, to) in [
            (2000_u32, 1800_u32),
            (1800, 1600),
            (1600, 1500),
            (1500, 1650),
        ] {
            let draw = |clock: u32| (f64::from(clock) / 2000.0).powf(1.4);
            law.learn(point(from, draw(from)), point(to, draw(to)));
        }
        assert!((law.exponent.value() - 1.4).abs() < 0.05, "{law:?}");
    }

    #[test]
    fn a_tiny_step_and_another_load_teach_little_or_nothing() {
        let mut law = Law::default();
        law.learn(point(2000, 1.0), point(1999, 0.5));
        law.learn(point(2000, 1.0), point(1800, 1.2));
        law.learn(point(2000, 1.0), point(1800, 0.1));
        assert!(near(law.exponent, 2.5), "{law:?}");
        law.learn(point(2000, 1.0), point(1985, 0.995));
        assert!((2.2..2.5).contains(&law.exponent.value()), "{law:?}");
    }

    #[test]
    fn the_exponent_stays_within_what_chips_do() {
        let mut law = Law::default();
        for _ in 0..20 {
            law.learn(point(2000, 1.0), point(1900, 0.62));
        }
        assert!((7.9..=8.0).contains(&law.exponent.value()), "{law:?}");
        for _ in 0..20 {
            law.learn(point(2000, 1.0), point(1800, 0.95));
        }
        assert!((1.0..1.1).contains(&law.exponent.value()), "{law:?}");
    }
}
