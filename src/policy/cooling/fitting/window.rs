//! The readings of an hour or two, added up to the equations of a fit.
//!
//! The air's temperature is unknown, but it moves slowly: a room that swings by 8 °C in a day never
//! moves faster than a degree an hour. So its value and its drift are two of the unknowns, and the
//! resistances come from the changes of the load.

use super::fit::Fit;
use super::lags::{IN_AIR, LAGS};
use super::solve::{FIRST, Matrix, UNKNOWNS, Vector, solve};

/// Errors of the model last for about this long. So many seconds count as one independent reading.
const INDEPENDENT_SECONDS: f64 = 60.0;

/// Readings are whole degrees, and models are models: no fit is better than this.
const ERROR_LEAST: f64 = 0.3;

/// What is known before a fit, as a standard deviation: the drift of the air, in °C an hour; and, with
/// a sensor in the air, how far the air at the card is from what was learned.
const DRIFT: f64 = 1.5;
const OFFSET: f64 = 1.0;

/// As far may the slowest part of the card be, in °C, from what its first reading makes of it.
const BEFORE: f64 = 10.0;

/// A load that changes less than this share tells nothing, if the air isn't known: a card of a steady load draws up to 10 %
/// more as it gets hotter, and that isn't why it got hotter. And the slow parts of the card only show
/// if the load also changes over minutes.
const SOON_LEAST: f64 = 0.08;
const SLOW_LEAST: f64 = 0.02;

/// No card is further above the air, in °C.
const RISE_MOST: f64 = 130.0;

/// The draw of the last seconds, and of the last minutes, among the unknowns.
const SOON: usize = FIRST + 1;
const SLOW: usize = FIRST + LAGS - 1;

/// The temperatures that are fitted, each by itself: the core's, and the distance to alert of the
/// sensor that is nearest to it.
pub(in crate::policy::cooling) const TARGETS: usize = 2;

/// The draw of a window: its mean in watts, and how far it was from that.
struct Draws {
    mean: f64,
    swing: f64,
}

/// The sums of one window.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::policy::cooling) struct Window {
    normal: Matrix,
    right: [Vector; TARGETS],
    squares: [f64; TARGETS],
    /// Temperatures count from the first ones.
    origin: Option<[f64; TARGETS]>,
    seconds: f64,
}

/// The learned distance of the air at the card to the sensor that measures it.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy::cooling) enum Air {
    /// There is no such sensor.
    Unmeasured,
    /// There is one, and the distance isn't known yet.
    Measured,
    Known(f64),
}

impl Window {
    pub(in crate::policy::cooling) const fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Adds a reading that stands for `seconds`. The draw is in hectowatts: the numbers are then of one
    /// size. `fading`: how much of the time before the first reading is left.
    pub(in crate::policy::cooling) fn add(
        &mut self,
        seconds: f64,
        draw: &[f64; LAGS],
        in_air: &[f64; LAGS],
        fading: f64,
        temperatures: [f64; TARGETS],
    ) {
        let origin = *self.origin.get_or_insert(temperatures);
        let mut row = [0.0; UNKNOWNS];
        (row[0], row[1], row[2]) = (1.0, self.seconds / 3600.0, fading);
        for lag in 0..LAGS {
            row[FIRST + lag] = if IN_AIR[lag] { in_air[lag] } else { draw[lag] } / HECTO;
        }
        let weight = seconds / INDEPENDENT_SECONDS;
        for i in 0..UNKNOWNS {
            for j in 0..=i {
                self.normal[i][j] += weight * row[i] * row[j];
            }
        }
        for target in 0..TARGETS {
            let rise = temperatures[target] - origin[target];
            for (sum, left) in self.right[target].iter_mut().zip(row) {
                *sum += weight * left * rise;
            }
            self.squares[target] += weight * rise * rise;
        }
        self.seconds += seconds;
    }

    /// The fit of one temperature. `None`: the load didn't change enough to tell.
    pub(in crate::policy::cooling) fn fit(&self, target: usize, air: Air) -> Option<Fit> {
        let origin = self.origin?[target];
        let [soon, slow] = [SOON, SLOW].map(|lag| self.draws(lag));
        let steady = soon.swing < SOON_LEAST * soon.mean || slow.swing < SLOW_LEAST * slow.mean;
        if steady && !matches!(air, Air::Known(_)) {
            return None;
        }
        let (mut normal, mut right) = (self.normal, self.right[target]);
        let noise = 0.5 * 0.5;
        let drift = match air {
            Air::Unmeasured => DRIFT,
            Air::Measured | Air::Known(_) => 0.1 * DRIFT,
        };
        normal[1][1] += noise / (drift * drift);
        normal[2][2] += noise / (BEFORE * BEFORE);
        if let Air::Known(offset) = air {
            let weight = noise / (OFFSET * OFFSET);
            normal[0][0] += weight;
            right[0] += weight * (offset - origin);
        }
        for (lag, row) in normal.iter_mut().enumerate().skip(FIRST) {
            // A thousandth of a degree per hectowatt: two lags that can't be told apart share the rise.
            row[lag] += 1e-3;
        }
        let solved = solve(&normal, &right)?;
        let misfit = self.misfit(target, &solved.values);
        let variance = misfit.max(ERROR_LEAST * ERROR_LEAST) * solved.spread;
        let mut gains = [0.0; LAGS];
        for (gain, value) in gains.iter_mut().zip(&solved.values[FIRST..]) {
            *gain = value / HECTO;
        }
        let fit = Fit {
            gains,
            error: variance.sqrt() / HECTO,
            misfit,
            rest: origin + solved.values[0] + solved.values[1] * self.seconds / 3600.0,
        };
        (fit.resistance() * soon.mean <= RISE_MOST).then_some(fit)
    }

    fn draws(&self, lag: usize) -> Draws {
        let (sum, squares) = (self.normal[lag][0], self.normal[lag][lag]);
        let readings = self.normal[0][0].max(1e-9);
        let mean = sum / readings;
        let variance = squares / readings - mean * mean;
        Draws {
            mean: mean * HECTO,
            swing: variance.max(0.0).sqrt() * HECTO,
        }
    }

    /// The mean square of what the fit leaves.
    fn misfit(&self, target: usize, values: &Vector) -> f64 {
        let mut sum = self.squares[target];
        for i in 0..UNKNOWNS {
            sum -= 2.0 * values[i] * self.right[target][i];
            for j in 0..UNKNOWNS {
                let (row, column) = (i.max(j), i.min(j));
                sum += values[i] * values[j] * self.normal[row][column];
            }
        }
        let readings = self.seconds / INDEPENDENT_SECONDS;
        (sum / readings.max(1e-9)).max(0.0)
    }
}

/// Watts.
const HECTO: f64 = 100.0;
