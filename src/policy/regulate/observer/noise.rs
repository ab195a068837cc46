//! How noisy a card's readings are, learned while its draw stands still.

use crate::units::{CelsiusDelta, Ratio};

/// Readings of a draw that stood still for so many ticks count.
const STILL: usize = 5;
/// A draw that moves by less than this stands still.
const STANDS: Ratio = Ratio::new(0.02);

/// The noise until it is learned: what rounding to whole degrees makes, and a little.
const UNKNOWN: f64 = 0.35;
/// The unknown noise counts as so many readings; later, the newest counts at least this much.
const UNKNOWN_WEIGHS: u32 = 20;
const NEWEST_LEAST: f64 = 0.01;

/// A single reading counts as no noisier than this, and no card's noise as more than [`MOST`].
const OUTLIER: f64 = 3.0;
const MOST: f64 = 1.5;

/// The mean size of a second difference of readings, in standard deviations of one: √6 of √(2/π).
const OF_SECOND_DIFFERENCE: f64 = 1.95;

/// The standard deviation of a reading, rounding included. It is taken from second differences: those
/// of a warming or cooling card are small.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    deviation: f64,
    counted: u32,
    reads: [CelsiusDelta; 3],
    draws: [Ratio; STILL],
    ticks: usize,
}

impl Default for Noise {
    fn default() -> Self {
        Self {
            deviation: UNKNOWN,
            counted: 0,
            reads: [CelsiusDelta::ZERO; 3],
            draws: [Ratio::ZERO; STILL],
            ticks: 0,
        }
    }
}

impl Noise {
    pub(super) fn add(&mut self, read: CelsiusDelta, draw: Ratio) {
        self.reads.rotate_right(1);
        self.reads[0] = read;
        self.draws.rotate_right(1);
        self.draws[0] = draw;
        self.ticks = (self.ticks + 1).min(STILL);
        if self.ticks == STILL && self.stands_still() {
            self.learn();
        }
    }

    fn stands_still(&self) -> bool {
        let moved = |draw: &Ratio| (*draw - self.draws[0]).abs() > STANDS;
        !self.draws.iter().any(moved)
    }

    fn learn(&mut self) {
        let [now, before, first] = self.reads;
        let second = ((now - before) - (before - first)).abs().degrees();
        let size = (second / OF_SECOND_DIFFERENCE).min(OUTLIER);
        let newest = 1.0 / f64::from(self.counted + UNKNOWN_WEIGHS);
        self.counted = (self.counted + 1).min(1000);
        self.deviation += (size - self.deviation) * newest.max(NEWEST_LEAST);
    }

    /// So many standard deviations of a reading.
    pub(super) fn times(&self, deviations: f64) -> CelsiusDelta {
        CelsiusDelta::new(self.deviation.min(MOST) * deviations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is learned of readings that are off by so much, up and down, in a fixed disorder.
    fn learned(off: f64, draw: impl Fn(u32) -> f64, rises: f64) -> f64 {
        let mut noise = Noise::default();
        for tick in 0..600_u32 {
            let sign = if (tick * tick / 7).is_multiple_of(2) {
                1.0
            } else {
                -1.0
            };
            let read = f64::from(tick) * rises + sign * off;
            noise.add(CelsiusDelta::new(read), Ratio::new(draw(tick)));
        }
        noise.times(1.0).degrees()
    }

    #[test]
    fn the_noise_of_a_steady_draw_is_learned_and_a_rise_is_none() {
        let steady = |_| 0.7;
        assert!(learned(0.0, steady, 0.0) < 0.01);
        assert!(learned(0.0, steady, 0.4) < 0.01, "it warms up");
        let noisy = learned(1.0, steady, 0.0);
        assert!((0.8..1.3).contains(&noisy), "{noisy}");
        assert!(learned(9.0, steady, 0.0) <= MOST);
    }

    #[test]
    fn readings_of_a_draw_that_moves_say_nothing_of_the_noise() {
        let moves = |tick: u32| if tick.is_multiple_of(4) { 0.4 } else { 0.7 };
        assert!((learned(6.0, moves, 0.0) - UNKNOWN).abs() < 1e-9);
    }
}
