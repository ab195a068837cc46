//! One picture of a card: a die of a given speed on a heat sink, and everything else as a disturbance
//! that is corrected by the readings.

use std::time::Duration;

use crate::units::{CelsiusDelta, CelsiusPerSecond, PerSecond, Ratio};

/// Rise over the inlet at the default limit: coolers are built for 45 to 60 °C. A regulator with
/// this gain settles if the true one is between a third of it and nearly its double.
pub(super) const GAIN: CelsiusDelta = CelsiusDelta::new(55.0);

/// The die's share of the rise; the sink has the rest. From a 250 W card: 0.07 of 0.22 °C/W. Recorded:
/// a fifth to a half.
const DIE_SHARE: Ratio = Ratio::new(0.32);
const SINK_SHARE: Ratio = Ratio::new(1.0 - 0.32);
const SINK_TIME: Duration = Duration::from_secs(55);

/// Gains of the disturbance's estimate. The calm ones are so slow that a whole degree of rounding
/// moves it by a tenth; the alert ones are for readings that stay off the estimate.
const CALM: Gains = Gains {
    level: PerSecond::new(0.08),
    slope: PerSecond::new(0.0008),
};
const ALERT: Gains = Gains {
    level: PerSecond::new(0.3),
    slope: PerSecond::new(0.015),
};

/// The error of the estimate is averaged over about this.
const SURPRISE_TIME: Duration = Duration::from_secs(4);

/// The estimate of the slope is limited to what a failing fan does.
const SLOPE_MAX: CelsiusPerSecond = CelsiusPerSecond::new(0.5);
/// A slope that no reading confirms fades within this.
const SLOPE_TIME: Duration = Duration::from_secs(30);
/// A slope under this is none.
const SLOPE_STEADY: CelsiusPerSecond = CelsiusPerSecond::new(0.01);

/// Errors around changes of the draw are averaged over so many seconds of such changes.
const SCORE_TIME: Duration = Duration::from_secs(50);

/// How much of an error each second moves the level, and the slope's degrees per second.
#[derive(Clone, Copy)]
struct Gains {
    level: PerSecond,
    slope: PerSecond,
}

/// How far a reading is to be believed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Belief {
    /// The share of its error that counts.
    pub(super) share: Ratio,
    /// Readings that stay off the estimate by more than this mean something.
    pub(super) surprising: CelsiusDelta,
}

/// Temperatures count from alert, power is a share of the full draw.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) die_time: Duration,
    /// Rise of the die over the sink, and of the sink over the air, from the draw alone.
    pub(super) die: CelsiusDelta,
    pub(super) sink: CelsiusDelta,
    /// Everything else, and how fast it changes.
    pub(super) outside: CelsiusDelta,
    pub(super) slope: CelsiusPerSecond,
    /// The recent error of the estimate.
    pub(super) surprise: CelsiusDelta,
    /// The size of the errors around changes of the draw.
    pub(super) miss: CelsiusDelta,
}

impl Picture {
    pub(super) fn with_die(die_time: Duration) -> Self {
        Self {
            die_time,
            die: CelsiusDelta::ZERO,
            sink: CelsiusDelta::ZERO,
            outside: CelsiusDelta::ZERO,
            slope: CelsiusPerSecond::default(),
            surprise: CelsiusDelta::ZERO,
            miss: CelsiusDelta::ZERO,
        }
    }

    /// Assumes that the draw has been the same for long; the disturbance absorbs the error.
    pub(super) fn begin(&mut self, read: CelsiusDelta, draw: Ratio) {
        self.die = die_rise(draw);
        self.sink = sink_rise(draw);
        self.outside = read - self.die - self.sink;
    }

    /// Lets `step` pass at a draw of `power`, and takes the reading at its end. Returns how far off the
    /// picture was.
    pub(super) fn observe(
        &mut self,
        step: Duration,
        power: Ratio,
        read: CelsiusDelta,
        belief: Belief,
    ) -> CelsiusDelta {
        self.die += (die_rise(power) - self.die) * lag(step, self.die_time);
        self.sink += (sink_rise(power) - self.sink) * lag(step, SINK_TIME);
        self.correct(read, step, belief)
    }

    pub(super) fn correct(
        &mut self,
        read: CelsiusDelta,
        step: Duration,
        belief: Belief,
    ) -> CelsiusDelta {
        self.outside += self.slope * step;
        let off = read - self.level();
        let error = off * belief.share;
        self.surprise += (error - self.surprise) * lag(step, SURPRISE_TIME);
        let gains = if self.surprise.abs() > belief.surprising {
            ALERT
        } else {
            CALM
        };
        self.outside += error * (gains.level * step).min(Ratio::WHOLE);
        self.slope += (error * (gains.slope * step)).per_second();
        self.slope -= self.slope * lag(step, SLOPE_TIME);
        self.slope = self.slope.at_most(SLOPE_MAX);
        off
    }

    /// The draw is changing: that tells how good the picture is.
    pub(super) fn judge(&mut self, step: Duration, error: CelsiusDelta) {
        self.miss += (error.abs() - self.miss) * lag(step, SCORE_TIME);
    }

    /// The full draw is another than was thought. The temperature stays where it is.
    pub(super) fn rescale(&mut self, factor: Ratio) {
        let level = self.level();
        self.die = self.die * factor;
        self.sink = self.sink * factor;
        self.outside = level - self.die - self.sink;
    }

    pub(super) fn level(&self) -> CelsiusDelta {
        self.outside + self.die + self.sink
    }

    pub(super) fn predict(&self, power: Ratio, ahead: Duration) -> CelsiusDelta {
        let die = (die_rise(power) - self.die) * lag(ahead, self.die_time);
        let sink = (sink_rise(power) - self.sink) * lag(ahead, SINK_TIME);
        self.level() + self.slope * ahead + die + sink
    }

    pub(super) fn power_for(&self, target: CelsiusDelta, ahead: Duration) -> Ratio {
        let die = GAIN * DIE_SHARE * lag(ahead, self.die_time);
        let sink = GAIN * SINK_SHARE * lag(ahead, SINK_TIME);
        (target - self.predict(Ratio::ZERO, ahead)) / (die + sink)
    }

    pub(super) fn is_steady(&self, surprising: CelsiusDelta) -> bool {
        self.slope.abs() < SLOPE_STEADY && self.surprise.abs() < surprising * Ratio::new(0.5)
    }
}

/// Rise of the die over the sink in the long run.
fn die_rise(power: Ratio) -> CelsiusDelta {
    GAIN * DIE_SHARE * power
}

/// Rise of the sink over the air in the long run.
fn sink_rise(power: Ratio) -> CelsiusDelta {
    GAIN * SINK_SHARE * power
}

/// How much of a distance a first-order lag covers in `time`.
fn lag(time: Duration, constant: Duration) -> Ratio {
    Ratio::new(1.0 - (-time.as_secs_f64() / constant.as_secs_f64()).exp())
}
