//! The samples that a fit goes by, cut into windows: the air of each window may have its own
//! temperature.

/// A card at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub seconds: f64,
    pub watts: f64,
    pub core_celsius: f64,
    /// Share of the highest fan speed. `None`: the card has no fan, or doesn't tell.
    pub fan: Option<f64>,
}

/// Samples in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub points: Vec<Point>,
}

/// One stretch of samples with one offset, and whether the fit may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) number: usize,
    pub(super) held_out: bool,
}

/// Air changes over a day, and slow masses need an hour.
const WINDOW_SECONDS: f64 = 2.0 * 3600.0;

/// Histories with fewer windows are cut in two instead: the last third is held out.
const FEW_WINDOWS: f64 = 6.0;

/// Of a long history, every third window is held out.
const HELD_OUT: usize = 3;

impl Series {
    pub(super) fn length(&self) -> f64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => last.seconds - first.seconds,
            _ => 0.0,
        }
    }

    /// The window of a sample this long after the first.
    pub(super) fn window(&self, elapsed: f64) -> Window {
        let length = self.length();
        if length < FEW_WINDOWS * WINDOW_SECONDS {
            let held_out = elapsed > length * 2.0 / 3.0;
            return Window {
                number: usize::from(held_out),
                held_out,
            };
        }
        let number = whole(elapsed / WINDOW_SECONDS);
        Window {
            number,
            held_out: number % HELD_OUT == HELD_OUT - 1,
        }
    }

    /// Longer steps are gaps: the power between them is unknown.
    pub(super) fn longest_step(&self) -> f64 {
        let mut steps: Vec<f64> = self
            .points
            .windows(2)
            .map(|pair| pair[1].seconds - pair[0].seconds)
            .collect();
        if steps.is_empty() {
            return 0.0;
        }
        let middle = steps.len() / 2;
        let (_, median, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
        (*median * 4.0).max(*median + 5.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of windows, not negative"
)]
fn whole(number: f64) -> usize {
    number as usize
}

/// The least and the most.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}
