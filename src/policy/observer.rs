//! What the thermometer doesn't say: how warm the heat sink is, how much heat comes from outside,
//! and where the temperature is going.
//!
//! Every card is taken for the same two masses, in units of its own default limit: a die that
//! answers power within seconds, and a sink that follows within a minute or two. The rest, from
//! the inlet air to everything that this crude picture gets wrong, is one disturbance, estimated
//! on line from the difference between the picture and the readings. So nothing needs tuning per
//! card: an error of the picture turns into disturbance and is regulated away.

use std::time::Duration;

use crate::units::{Moment, Watts};

use super::zone::Heat;

/// Rise over the inlet at the default limit: coolers are built for 45 to 60 °C. A regulator with
/// this gain settles for any true one from a third of it to nearly its double.
const GAIN: f64 = 55.0;

/// The die's share of the rise and its time constant; the sink has the rest. Of a 250 W card: 0.07
/// of 0.22 °C/W, 70 J/°C. Seen: a load step moves the die within 5 s, the rest takes minutes.
const DIE_SHARE: f64 = 0.32;
const DIE_SECONDS: f64 = 5.0;
const SINK_SECONDS: f64 = 55.0;

/// Gains of the disturbance's estimate, per second: slow enough that a whole degree of rounding
/// moves it by a tenth, and fast once the readings insist.
const CALM: Gains = Gains {
    level: 0.08,
    slope: 0.0008,
};
const ALERT: Gains = Gains {
    level: 0.3,
    slope: 0.015,
};

/// The readings insist when their error, averaged over about four seconds, is over this.
const INSISTS: f64 = 0.6;
const INSISTENCE_SECONDS: f64 = 4.0;

/// The slope is no prophet: no faster than a failing fan.
const SLOPE_MAX: f64 = 0.5;

#[derive(Clone, Copy)]
struct Gains {
    level: f64,
    slope: f64,
}

/// The estimate. Temperatures count from alert: 0 is at it, negative under it.
#[derive(Clone, Debug)]
pub struct Observer {
    default_limit: f64,
    /// Rise of the die over the sink, and of the sink over the air, from the draw alone.
    die: f64,
    sink: f64,
    /// Everything else, and where it is going, per second.
    outside: f64,
    slope: f64,
    /// The recent error of the estimate.
    surprise: f64,
    /// Draw, as a share of the default limit.
    draw: f64,
    at: Option<Moment>,
}

impl Observer {
    pub fn new(default_limit: Watts) -> Self {
        Self {
            default_limit: default_limit.as_f64().max(1.0),
            die: 0.0,
            sink: 0.0,
            outside: 0.0,
            slope: 0.0,
            surprise: 0.0,
            draw: 0.0,
            at: None,
        }
    }

    /// One reading, good or bad state alike: the estimate must be ready when it is needed.
    pub fn observe(&mut self, now: Moment, heat: &Heat, draw: Watts) {
        let read = -heat.to_alert.degrees();
        let draw = draw.as_f64() / self.default_limit;
        let Some(before) = self.at.replace(now) else {
            // As if it had been like this for long; the disturbance takes what is wrong with that.
            self.draw = draw;
            self.die = GAIN * DIE_SHARE * draw;
            self.sink = GAIN * (1.0 - DIE_SHARE) * draw;
            self.outside = read - self.die - self.sink;
            return;
        };
        let step = now.since(before).as_secs_f64().min(10.0);
        let power = 0.5 * (self.draw + draw);
        self.draw = draw;
        self.die += approach(GAIN * DIE_SHARE * power - self.die, step, DIE_SECONDS);
        self.sink += approach(
            GAIN * (1.0 - DIE_SHARE) * power - self.sink,
            step,
            SINK_SECONDS,
        );
        self.correct(read, step);
    }

    /// Where the temperature is now.
    pub fn level(&self) -> f64 {
        self.outside + self.die + self.sink
    }

    /// Where it will be after `ahead` at a draw of `power`, a share of the default limit.
    pub fn predict(&self, power: f64, ahead: Duration) -> f64 {
        let seconds = ahead.as_secs_f64();
        let die = approach(GAIN * DIE_SHARE * power - self.die, seconds, DIE_SECONDS);
        let sink = approach(
            GAIN * (1.0 - DIE_SHARE) * power - self.sink,
            seconds,
            SINK_SECONDS,
        );
        self.level() + self.slope * seconds + die + sink
    }

    /// The draw at which it will be at `target` after `ahead`.
    pub fn power_for(&self, target: f64, ahead: Duration) -> f64 {
        let seconds = ahead.as_secs_f64();
        let die = GAIN * DIE_SHARE * share(seconds, DIE_SECONDS);
        let sink = GAIN * (1.0 - DIE_SHARE) * share(seconds, SINK_SECONDS);
        (target - self.predict(0.0, ahead)) / (die + sink)
    }

    /// The change of draw that moves the resting temperature by `change`.
    pub const fn power_per(change: f64) -> f64 {
        change / GAIN
    }

    pub const fn draw(&self) -> f64 {
        self.draw
    }

    /// The outside is steady: what is seen is the regulator's own doing.
    pub fn is_steady(&self) -> bool {
        self.slope.abs() < 0.01 && self.surprise.abs() < INSISTS / 2.0
    }

    fn correct(&mut self, read: f64, step: f64) {
        self.outside += self.slope * step;
        let error = read - self.level();
        self.surprise += approach(error - self.surprise, step, INSISTENCE_SECONDS);
        let gains = if self.surprise.abs() > INSISTS {
            ALERT
        } else {
            CALM
        };
        self.outside += (gains.level * step).min(1.0) * error;
        self.slope += gains.slope * step * error;
        // A trend that nothing confirms fades.
        self.slope -= approach(self.slope, step, 30.0);
        self.slope = self.slope.clamp(-SLOPE_MAX, SLOPE_MAX);
    }
}

/// How much of `distance` a first-order lag covers.
fn approach(distance: f64, seconds: f64, constant: f64) -> f64 {
    distance * share(seconds, constant)
}

fn share(seconds: f64, constant: f64) -> f64 {
    1.0 - (-seconds / constant).exp()
}

#[cfg(test)]
mod tests;
