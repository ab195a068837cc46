//! How fast a reading moved over the last seconds, so that a jump can be told from a ramp: fans that
//! speed up cool a card by a degree a second, whatever its draw does.

use crate::units::Celsius;

/// With a short poll interval, one reading in this time is enough, in seconds.
const APART: f64 = 0.9;

/// Readings of the last four seconds at one per second. At a longer interval, it looks back further,
/// but never over more than this, in seconds.
const KEPT: usize = 4;
const LONGEST: f64 = 15.0;

/// The last readings, oldest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ramp {
    readings: [Option<(f64, Celsius)>; KEPT],
}

impl Ramp {
    pub(crate) const fn new() -> Self {
        Self {
            readings: [None; KEPT],
        }
    }

    pub(crate) fn note(&mut self, now: f64, value: Celsius) {
        let last = self.readings.last().copied().flatten();
        if last.is_none_or(|(at, _)| now - at >= APART) {
            self.readings.rotate_left(1);
            if let Some(last) = self.readings.last_mut() {
                *last = Some((now, value));
            }
        }
    }

    /// Degrees a second until the last reading. With one reading alone it's none.
    pub(crate) fn per_second(&self) -> f64 {
        let mut all = self.readings.iter().copied().flatten();
        let Some((last, value)) = all.next_back() else {
            return 0.0;
        };
        let first = all.find(|(at, _)| last - at <= LONGEST);
        first.map_or(0.0, |(at, was)| (value - was).degrees() / (last - at))
    }
}
