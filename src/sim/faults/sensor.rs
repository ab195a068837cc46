//! Sensors that don't tell the truth.

use crate::sim::random::noise;

/// The faults of a sensor, in its own unit (°C, W). Several faults combine: the value lags, has an
/// offset, has noise, and is updated only now and then, or never.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Sensor {
    /// The sensor has a new value only after this many simulated seconds. 0: off.
    pub cache_seconds: f64,
    /// The time constant of a first-order lag. 0: off.
    pub lag_seconds: f64,
    /// Added to the value.
    pub offset: f64,
    /// Half the width of a uniform noise.
    pub noise: f64,
    /// Not 0: the sensor repeats its last value, whatever the other faults are.
    pub freeze: u64,
}

impl Sensor {
    pub const NONE: Self = Self {
        cache_seconds: 0.0,
        lag_seconds: 0.0,
        offset: 0.0,
        noise: 0.0,
        freeze: 0,
    };

    pub const fn cache(seconds: f64) -> Self {
        Self {
            cache_seconds: seconds,
            ..Self::NONE
        }
    }

    pub const fn lag(seconds: f64) -> Self {
        Self {
            lag_seconds: seconds,
            ..Self::NONE
        }
    }

    pub const fn offset(offset: f64) -> Self {
        Self {
            offset,
            ..Self::NONE
        }
    }

    pub const fn noise(amplitude: f64) -> Self {
        Self {
            noise: amplitude,
            ..Self::NONE
        }
    }

    pub const fn freeze() -> Self {
        Self {
            freeze: 1,
            ..Self::NONE
        }
    }

    /// Its value depends on the time of its updates, so time must pass in small steps.
    pub const fn has_memory(&self) -> bool {
        self.cache_seconds > 0.0 || self.lag_seconds > 0.0
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self::NONE
    }
}

/// The state of a sensor over time.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Sense {
    /// The true value, delayed.
    felt: f64,
    /// Its last value, reported or not.
    held: f64,
    /// When the cache is filled next.
    due: f64,
    seed: u64,
}

impl Sense {
    /// A sensor at a steady `truth`. Sensors with different numbers have different noise.
    pub const fn new(truth: f64, number: u64) -> Self {
        Self {
            felt: truth,
            held: truth,
            due: 0.0,
            seed: 0x9e37_79b9_7f4a_7c15 ^ (number + 1),
        }
    }

    /// `seconds` passed until `now`, when the true value is `truth`.
    pub fn pass(&mut self, sensor: &Sensor, now: f64, truth: f64, seconds: f64) {
        self.felt = if sensor.lag_seconds > 0.0 {
            self.felt + (truth - self.felt) * -(-seconds / sensor.lag_seconds).exp_m1()
        } else {
            truth
        };
        if sensor.freeze != 0 {
            return;
        }
        if sensor.cache_seconds <= 0.0 {
            self.held = self.felt + sensor.offset;
            self.due = now;
        } else if now >= self.due {
            self.held = self.flickering(sensor);
            self.due = now + sensor.cache_seconds;
        }
    }

    /// The reported value, with the `own` noise of a healthy sensor.
    pub fn tell(&mut self, sensor: &Sensor, own: f64) -> f64 {
        if sensor.freeze == 0 && sensor.cache_seconds <= 0.0 {
            self.held = self.flickering(sensor) + own;
        }
        self.held
    }

    fn flickering(&mut self, sensor: &Sensor) -> f64 {
        let flicker = if sensor.noise > 0.0 {
            noise(&mut self.seed) * sensor.noise
        } else {
            0.0
        };
        self.felt + sensor.offset + flicker
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Celsius;

    fn told_by(sense: &mut Sense, sensor: Sensor, own: f64) -> Celsius {
        Celsius::new(sense.tell(&sensor, own))
    }

    /// What it tells each second of a truth that rises from 50 by a degree a second.
    fn told(sensor: &Sensor, seconds: u32) -> Vec<f64> {
        let mut sense = Sense::new(50.0, 0);
        let mut tell = |second| {
            let now = f64::from(second);
            sense.pass(sensor, now, 50.0 + now, 1.0);
            sense.tell(sensor, 0.0)
        };
        (1..=seconds).map(&mut tell).collect()
    }

    #[test]
    fn a_sensor_that_is_well_tells_the_truth() {
        assert_eq!(told(&Sensor::NONE, 3), [51.0, 52.0, 53.0]);
        assert_eq!(told(&Sensor::offset(-20.0), 2), [31.0, 32.0]);
    }

    #[test]
    fn a_cache_is_filled_now_and_then() {
        let cached = told(&Sensor::cache(3.0), 7);
        assert_eq!(cached, [51.0, 51.0, 51.0, 54.0, 54.0, 54.0, 57.0]);
    }

    #[test]
    fn a_lag_of_a_ramp_is_its_time_constant() {
        let lagged = told(&Sensor::lag(15.0), 200);
        let behind = 250.0 - lagged[199];
        // Sampled each second, it is up to one more behind.
        assert!((14.0..16.0).contains(&behind), "{behind}");
    }

    #[test]
    fn a_frozen_sensor_tells_what_it_told_last_and_thaws_to_the_truth() {
        let mut sense = Sense::new(50.0, 0);
        sense.pass(&Sensor::NONE, 1.0, 60.0, 1.0);
        assert_eq!(told_by(&mut sense, Sensor::NONE, 0.4), Celsius::new(60.4));
        for now in [2.0, 3.0] {
            sense.pass(&Sensor::freeze(), now, 90.0, 1.0);
            let frozen = told_by(&mut sense, Sensor::freeze(), -0.4);
            assert_eq!(frozen, Celsius::new(60.4));
        }
        sense.pass(&Sensor::NONE, 4.0, 91.0, 1.0);
        assert_eq!(told_by(&mut sense, Sensor::NONE, 0.0), Celsius::new(91.0));
    }

    #[test]
    fn noise_stays_within_its_amplitude_and_uses_it() {
        let mut sense = Sense::new(50.0, 0);
        let noisy = Sensor::noise(1.5);
        let off = (0..1000).map(|_| sense.tell(&noisy, 0.0) - 50.0);
        let (low, high) = off.fold((0.0_f64, 0.0_f64), |(low, high), off| {
            (low.min(off), high.max(off))
        });
        assert!((-1.5..-1.4).contains(&low), "{low}");
        assert!((1.4..1.5).contains(&high), "{high}");
    }
}
