//! The power/throughput curves of real cards.

/// Relative throughput (which is relative clock) over relative power, as points of a line.
#[derive(Debug)]
pub struct Curve(&'static [(f64, f64)]);

impl Curve {
    /// The relative clock at a draw of `power`, relative to the load's draw at full clock.
    pub fn throughput(&self, power: f64) -> f64 {
        interpolate(self.0.iter().copied(), power)
    }

    /// Relative power at `speed`; the inverse of [`Self::throughput`].
    pub fn power(&self, speed: f64) -> f64 {
        interpolate(self.0.iter().map(|&(power, speed)| (speed, power)), speed)
    }
}

fn interpolate(points: impl Iterator<Item = (f64, f64)>, x: f64) -> f64 {
    let mut last = (0.0, 0.0);
    for (px, py) in points {
        if x <= px {
            let width = px - last.0;
            return if width > 0.0 {
                last.1 + (py - last.1) * (x - last.0) / width
            } else {
                py
            };
        }
        last = (px, py);
    }
    last.1
}

/// Zeus traces (NSDI'23, ml-energy/zeus, Apache-2.0): V100, mean of 21 power-bound trainings.
/// Below 40 % extrapolated towards the lowest clock.
pub static V100_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.15, 0.15),
    (0.4, 0.57),
    (0.5, 0.72),
    (0.6, 0.84),
    (0.7, 0.91),
    (0.8, 0.95),
    (0.9, 0.99),
    (1.0, 1.0),
]);

/// The same source: A40, mean of 17.
pub static A40_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.15, 0.12),
    (0.333, 0.28),
    (0.417, 0.43),
    (0.5, 0.64),
    (0.583, 0.82),
    (0.667, 0.91),
    (0.75, 0.96),
    (0.833, 0.98),
    (1.0, 1.0),
]);

/// RTX 4000 Ada, 130 W: clock over draw under limits of 30 to 130 W, at full load. Its lowest clock
/// takes a third of the power, so a lower limit does nothing.
pub static RTX_4000_ADA_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.34, 0.1),
    (0.5, 0.25),
    (0.58, 0.34),
    (0.66, 0.51),
    (0.74, 0.69),
    (0.82, 0.80),
    (0.92, 0.92),
    (1.0, 1.0),
]);

/// GTX 1080 Ti, 250 W: clock over draw under limits of 150 to 300 W. Below, extrapolated.
pub static GTX_1080_TI_CURVE: Curve = Curve(&[
    (0.0, 0.0),
    (0.15, 0.12),
    (0.51, 0.61),
    (0.60, 0.78),
    (0.68, 0.87),
    (0.77, 0.92),
    (1.0, 1.0),
]);
