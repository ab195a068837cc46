//! A load that comes and goes: bursts of requests, the gaps between two batches.

use std::f64::consts::TAU;

use crate::units::Moment;

use super::plant::Load;

/// Loads are no metronomes: bursts come up to this many seconds early or late, back and forth. Or else
/// one that comes once a second would meet a guard that looks once a second always at the same place.
const SWAY: f64 = 0.3;
const SWAY_SECONDS: f64 = 7.7;

/// A load for `busy` seconds, then none for `idle` seconds, over and over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pulses {
    pub busy: f64,
    pub idle: f64,
    /// It begins this many seconds into a period.
    pub phase: f64,
}

impl Pulses {
    /// A load that never goes.
    pub const STEADY: Self = Self {
        busy: 1.0,
        idle: 0.0,
        phase: 0.0,
    };

    pub const fn new(busy: f64, idle: f64) -> Self {
        Self {
            busy,
            idle,
            phase: 0.0,
        }
    }

    #[must_use]
    pub fn from_phase(self, share: f64) -> Self {
        Self {
            phase: share * self.period(),
            ..self
        }
    }

    pub fn period(&self) -> f64 {
        self.busy + self.idle
    }

    /// The load at `now`.
    pub fn load(&self, now: Moment, load: Load) -> Load {
        let seconds = now.since_start().as_secs_f64() + self.phase;
        let swayed = seconds + SWAY * (seconds * TAU / SWAY_SECONDS).sin();
        // Moments are sums of steps: a hair before a boundary is on it.
        let place = (swayed + SWAY + 1e-6) % self.period();
        if place < self.busy { load } else { Load::IDLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_and_goes_with_its_period() {
        let busy = |pulses: Pulses, seconds: f64| {
            pulses.load(Moment::from_secs_f64(seconds), Load::FULL) == Load::FULL
        };
        let pulses = Pulses::new(10.0, 5.0);
        let seen = [0.0, 9.0, 10.5, 14.0, 15.5, 26.0].map(|at| busy(pulses, at));
        assert_eq!(seen, [true, true, false, false, true, false]);
        assert!(!busy(pulses.from_phase(0.8), 0.0));
        let short = Pulses::new(0.9, 0.1);
        let gaps = (0..2000).filter(|step| !busy(short, f64::from(*step) * 0.05));
        assert!((150..250).contains(&gaps.count()), "a tenth of the time");
        assert!(busy(Pulses::STEADY, 17.3));
    }
}
