//! The draw of a card, smoothed over the times in which heat spreads from the die to the air.
//!
//! Recorded cards have parts of their temperature that follow the draw at once, within 16 to 100
//! seconds, and within 4 to 10 minutes. A mixture of a few fixed lags describes all of them well.

use std::time::Duration;

use crate::units::Moment;

/// How many lags there are.
pub(in crate::policy::cooling) const LAGS: usize = 4;

/// Their time constants, in seconds: about one for each part that recorded cards have, and one for
/// the die of a card with a thick cooler.
const SECONDS: [f64; LAGS] = [1.5, 12.0, 50.0, 300.0];

/// The first lag is the chip's own; the others lie in the stream of air, which the fans move.
pub(in crate::policy::cooling) const IN_AIR: [bool; LAGS] = [false, true, true, true];

/// After so many time constants, the draw before the first reading no longer counts.
const UNSEEN: f64 = 3.0;

/// A longer gap in the readings is a new beginning.
const GAP_MAX: Duration = Duration::from_secs(30);

/// One quantity, smoothed over each of the lags.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::policy::cooling) struct Lags {
    at: Option<Moment>,
    /// Since the first reading.
    seconds: f64,
    input: f64,
    smoothed: [f64; LAGS],
}

/// What a reading means to the lags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::policy::cooling) enum Step {
    /// The first reading, or the first after a gap.
    First,
    /// So many seconds after the last one.
    Next(f64),
}

impl Lags {
    /// Takes the `input` at `now`. At a beginning it counts as having lasted for long. `pace`: how fast
    /// heat moves on; with half of the resistance it moves twice as fast.
    pub(in crate::policy::cooling) fn take(&mut self, now: Moment, input: f64, pace: f64) -> Step {
        let before = self.at.replace(now);
        let step = before.map(|before| now.since(before));
        let Some(step) = step.filter(|step| *step <= GAP_MAX) else {
            self.seconds = 0.0;
            self.input = input;
            self.smoothed = [input; LAGS];
            return Step::First;
        };
        let middle = f64::midpoint(self.input, input);
        self.input = input;
        self.seconds += step.as_secs_f64();
        self.move_to(middle, step.as_secs_f64() * pace);
        Step::Next(step.as_secs_f64())
    }

    /// Lets the lags follow an `input` that has lasted for `seconds`.
    pub(in crate::policy::cooling) fn move_to(&mut self, input: f64, seconds: f64) {
        for (smoothed, constant) in self.smoothed.iter_mut().zip(SECONDS) {
            *smoothed += (input - *smoothed) * (1.0 - (-seconds / constant).exp());
        }
    }

    pub(in crate::policy::cooling) const fn smoothed(&self) -> &[f64; LAGS] {
        &self.smoothed
    }

    /// How much the draw before the first reading still counts, which nobody saw. `None`: too much, in
    /// all parts of the card. Otherwise in its slowest part.
    pub(in crate::policy::cooling) fn fading(&self) -> Option<f64> {
        let [.., slow, slowest] = SECONDS;
        (self.seconds >= UNSEEN * slow).then(|| (-self.seconds / slowest).exp())
    }

    /// The slowest of them: the draw of the last minutes.
    pub(in crate::policy::cooling) const fn slowest(&self) -> f64 {
        self.smoothed[LAGS - 1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lag_covers_two_thirds_of_a_step_in_its_time() {
        let mut lags = Lags::default();
        assert_eq!(lags.take(Moment::START, 0.0, 1.0), Step::First);
        for second in 1..=50 {
            let step = lags.take(Moment::from_secs_f64(f64::from(second)), 100.0, 1.0);
            assert_eq!(step, Step::Next(1.0));
        }
        let [fast, _, slow, slowest] = *lags.smoothed();
        assert!(fast > 99.9 && slowest < 20.0, "{lags:?}");
        assert!((slow - 63.0).abs() < 1.5, "{slow}");
    }

    #[test]
    fn after_a_gap_the_draw_counts_as_old() {
        let mut lags = Lags::default();
        let _ = lags.take(Moment::START, 0.0, 1.0);
        let step = lags.take(Moment::from_secs_f64(31.0), 300.0, 1.0);
        assert_eq!(step, Step::First);
        assert!((lags.slowest() - 300.0).abs() < 1e-9);
    }
}
