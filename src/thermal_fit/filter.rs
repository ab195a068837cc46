//! Power that acts with a delay: a first-order filter, exact for a power that moves in a straight line
//! between two samples.

/// The state of one thermal mass, in watts: the power that would hold it where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filter {
    time_constant: f64,
    state: f64,
}

impl Filter {
    /// At rest under `watts`. A time constant of 0 follows at once.
    pub const fn at_rest(time_constant: f64, watts: f64) -> Self {
        Self {
            time_constant,
            state: watts,
        }
    }

    pub const fn state(&self) -> f64 {
        self.state
    }

    /// Lets `seconds` pass, while the power goes from `before` to `after`.
    pub fn pass(&mut self, seconds: f64, before: f64, after: f64) {
        if self.time_constant <= 0.0 {
            self.state = after;
            return;
        }
        let decay = (-seconds / self.time_constant).exp();
        self.pass_decayed(seconds, decay, before, after);
    }

    /// The same, for a `decay` = e^(−seconds / time constant) that the caller has at hand.
    pub fn pass_decayed(&mut self, seconds: f64, decay: f64, before: f64, after: f64) {
        let lag = if seconds > 0.0 {
            (after - before) / seconds * self.time_constant
        } else {
            0.0
        };
        self.state = after - lag + (self.state - before + lag) * decay;
    }

    pub const fn time_constant(&self) -> f64 {
        self.time_constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_two_thirds_there_after_one_time_constant() {
        let mut filter = Filter::at_rest(60.0, 100.0);
        filter.pass(60.0, 200.0, 200.0);
        let there = (filter.state() - 100.0) / 100.0;
        assert!((there - 0.632).abs() < 0.001, "{there}");
    }

    #[test]
    fn one_long_ramp_equals_many_short_ones() {
        let mut long = Filter::at_rest(20.0, 50.0);
        long.pass(30.0, 50.0, 350.0);
        let mut short = Filter::at_rest(20.0, 50.0);
        for step in 0..300 {
            let at = |step: i32| 50.0 + f64::from(step);
            short.pass(0.1, at(step), at(step + 1));
        }
        assert!((long.state() - short.state()).abs() < 1e-9);
    }

    #[test]
    fn without_a_time_constant_it_follows_at_once() {
        let mut filter = Filter::at_rest(0.0, 10.0);
        filter.pass(1.0, 10.0, 90.0);
        assert!((filter.state() - 90.0).abs() < f64::EPSILON);
    }
}
