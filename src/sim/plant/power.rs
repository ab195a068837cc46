//! The draw that a card tells, from the draw that it has.

use crate::sim::profile::{PowerReading, Profile};
use crate::units::Watts;

/// The seconds between two marks of the counter.
const MARK: f64 = 0.1;
const ROUNDING: f64 = 1e-9;

/// Marks of one second, and the one that it begins at.
const MARKS: usize = 11;

/// A counter of energy, and where it stood at each tenth of the last second. Plain numbers, any of
/// which are valid.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Meter {
    joules: f64,
    /// Since the last mark. Marks are counted, not computed from the time of day: after hours, rounding
    /// would skip one.
    seconds: f64,
    last: usize,
    marks: [f64; MARKS],
}

impl Meter {
    /// It has drawn `watts` for long.
    pub(super) fn steady(watts: f64) -> Self {
        let mut meter = Self {
            joules: 0.0,
            seconds: 0.0,
            last: 0,
            marks: [0.0; MARKS],
        };
        for _ in 0..MARKS {
            meter.pass(watts, MARK);
        }
        meter
    }

    /// `watts` for `seconds`, at most about [`MARK`].
    pub(super) fn pass(&mut self, watts: f64, seconds: f64) {
        self.joules += watts * seconds;
        self.seconds += seconds;
        while self.seconds >= MARK - ROUNDING {
            self.seconds -= MARK;
            self.last = self.last.wrapping_add(1);
            self.marks[index(self.last)] = self.joules;
        }
    }

    /// The mean of the last second, to a tenth of a second.
    fn mean(&self) -> f64 {
        let oldest = self.marks[index(self.last.wrapping_add(1))];
        (self.joules - oldest) / ((MARKS - 1) as f64 * MARK + self.seconds)
    }

    /// What the card tells while it draws `draw`.
    pub fn told(&self, profile: &Profile, draw: Watts) -> Watts {
        match profile.sensing.power {
            PowerReading::SecondsMean => Watts::from_f64(self.mean()),
            PowerReading::Momentary | PowerReading::Dipping => draw,
        }
    }
}

fn index(mark: usize) -> usize {
    mark % MARKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile;

    #[test]
    fn after_a_step_the_reading_is_a_ramp_of_one_second() {
        let told = |meter: &Meter| meter.told(&profile::H100, Watts::from_watts(600)).as_f64();
        let mut meter = Meter::steady(100.0);
        assert!((told(&meter) - 100.0).abs() < 1e-3);
        for tenth in 1..=12_u32 {
            meter.pass(600.0, MARK);
            let ramp = 100.0 + 500.0 * f64::from(tenth.min(10)) / 10.0;
            assert!(
                (told(&meter) - ramp).abs() < 1e-3,
                "{tenth}: {}",
                told(&meter)
            );
        }
        let momentary = meter.told(&profile::A100_80GB, Watts::from_watts(300));
        assert_eq!(momentary, Watts::from_watts(300));
    }

    /// Once, a mark was skipped after seven hours, and the reading was 9 % too low for half a day.
    #[test]
    fn a_steady_draw_is_told_for_days() {
        let mut meter = Meter::steady(400.0);
        for tenth in 0..1_000_000_u32 {
            meter.pass(400.0, MARK);
            assert!(
                (meter.mean() - 400.0).abs() < 0.01,
                "{tenth}: {}",
                meter.mean()
            );
        }
    }

    #[test]
    fn steps_of_any_length_give_the_same_mean() {
        let mut meter = Meter::steady(0.0);
        for _ in 0..1000 {
            meter.pass(400.0, 0.007);
        }
        // Marks stand at the ends of steps.
        assert!((meter.mean() - 400.0).abs() < 400.0 * 0.007);
    }
}
