//! Chooses the time constants, and tests the result on the part that was held out.

use super::check::check;
use super::drive::{Drive, SLOWEST_FAN};
use super::filter::Filter;
use super::found::{Fit, Modes, Unfit};
use super::gram::Gram;
use super::series::{Point, Series, range};
use super::solve;

/// Time constants of the middle mass: heat sinks of 16 to 100 s were measured.
const MIDDLE: [f64; 9] = [8.0, 12.0, 18.0, 25.0, 35.0, 48.0, 65.0, 90.0, 120.0];
/// Those of the slow one, board and case: 250 to 630 s were measured.
const SLOW: [f64; 5] = [180.0, 260.0, 370.0, 520.0, 740.0];
/// What follows at once, the masses, and the temperature.
const COLUMNS: usize = 1 + MIDDLE.len() + SLOW.len() + 1;
const TARGET: usize = COLUMNS - 1;

/// One more mass must leave this much less unexplained.
const WORTH_A_MASS: f64 = 0.97;

/// With less, noise and whole degrees decide the fit.
const LEAST_SPAN_CELSIUS: f64 = 5.0;
const LEAST_SPAN_OF_POWER: f64 = 0.15;
const LEAST_SAMPLES: usize = 16;

/// A fit that is this far off on the held-out part is none.
const WORST_RMS_CELSIUS: f64 = 5.0;
/// It must explain at least this much of the held-out part's variance, or be within a degree.
const LEAST_EXPLAINED: f64 = 0.3;
const GOOD_RMS_CELSIUS: f64 = 1.2;

/// Fits a series.
pub fn fit(series: &Series) -> Result<Fit, Unfit> {
    enough(&series.points)?;
    let plain = candidate(series, Drive::Power);
    let best = if fan_moves(&series.points) {
        let fanned = candidate(series, Drive::ByFan);
        [plain, fanned].into_iter().flatten().min_by(|a, b| {
            a.fit
                .fitted_rms_celsius
                .total_cmp(&b.fit.fitted_rms_celsius)
        })
    } else {
        plain
    };
    let samples = series.points.len();
    let Candidate { fit, explained } = best.ok_or(Unfit::TooFew { samples })?;
    let rms_celsius = fit.held_out_rms_celsius;
    let explains = explained >= LEAST_EXPLAINED || rms_celsius <= GOOD_RMS_CELSIUS;
    if fit.modes.resistance() <= 0.0 || rms_celsius > WORST_RMS_CELSIUS || !explains {
        return Err(Unfit::Unexplained { rms_celsius });
    }
    Ok(fit)
}

/// A fit, and the share of the held-out part's variance that it explains.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    fit: Fit,
    explained: f64,
}

fn enough(points: &[Point]) -> Result<(), Unfit> {
    let samples = points.len();
    if samples < LEAST_SAMPLES {
        return Err(Unfit::TooFew { samples });
    }
    let (least, most) = range(points.iter().map(|it| it.watts));
    if most - least < most * LEAST_SPAN_OF_POWER {
        let span_watts = most - least;
        return Err(Unfit::SteadyPower { span_watts });
    }
    let (least, most) = range(points.iter().map(|it| it.core_celsius));
    let span_celsius = most - least;
    if span_celsius < LEAST_SPAN_CELSIUS {
        return Err(Unfit::SteadyTemperature { span_celsius });
    }
    Ok(())
}

fn fan_moves(points: &[Point]) -> bool {
    let known = points.iter().filter_map(|it| it.fan);
    let (least, most) = range(known.clone());
    known.count() == points.len() && most - least > 0.1 && most > SLOWEST_FAN
}

fn candidate(series: &Series, drive: Drive) -> Option<Candidate> {
    let [fitted, held_out] = grams(series, drive);
    if fitted.count() < LEAST_SAMPLES / 2 || held_out.count() < 4 {
        return None;
    }
    let (chosen, factors) = choose(&fitted);
    let rms = |gram: &Gram| (gram.left(&chosen, &factors) / gram.count() as f64).sqrt();
    let mut masses = [(0.0, 0.0); 3];
    for (mass, (column, factor)) in masses.iter_mut().zip(chosen.iter().zip(&factors)) {
        *mass = (*factor, time_constant(*column));
    }
    let whole = held_out.sum(TARGET, TARGET);
    let left = held_out.left(&chosen, &factors);
    let modes = Modes { masses };
    let (worst_celsius, beyond) = check(series, drive, &modes);
    let fit = Fit {
        modes,
        by_fan: drive == Drive::ByFan,
        fitted_rms_celsius: rms(&fitted),
        held_out_rms_celsius: rms(&held_out),
        worst_celsius,
        beyond,
        samples: series.points.len(),
        seconds: series.length(),
    };
    let explained = if whole > 0.0 { 1.0 - left / whole } else { 0.0 };
    Some(Candidate { fit, explained })
}

const fn time_constant(column: usize) -> f64 {
    match column {
        0 => 0.0,
        _ if column <= MIDDLE.len() => MIDDLE[column - 1],
        _ => SLOW[column - 1 - MIDDLE.len()],
    }
}

/// One mass beside what follows at once, or two, if the second is worth it.
fn choose(gram: &Gram) -> (Vec<usize>, Vec<f64>) {
    let masses = 1..TARGET;
    let solved = |chosen: Vec<usize>| {
        let (factors, left) = solve::not_negative(gram, TARGET, &chosen);
        (chosen, factors, left)
    };
    let less =
        |a: &(Vec<usize>, Vec<f64>, f64), b: &(Vec<usize>, Vec<f64>, f64)| a.2.total_cmp(&b.2);
    let one = masses
        .clone()
        .map(|mass| solved(vec![0, mass]))
        .min_by(less);
    let pairs = masses.clone().flat_map(|a| {
        let slower = (a + 1..TARGET).filter(move |b| time_constant(*b) >= 3.0 * time_constant(a));
        slower.map(move |b| vec![0, a, b])
    });
    let two = pairs.map(solved).min_by(less);
    let best = match (one, two) {
        (Some(one), Some(two)) if two.2 < one.2 * WORTH_A_MASS => Some(two),
        (one, _) => one,
    };
    best.map(|(chosen, factors, _)| (chosen, factors))
        .unwrap_or_default()
}

/// The sums of the fitted part and of the held-out one.
fn grams(series: &Series, drive: Drive) -> [Gram; 2] {
    let mut grams = [Gram::new(COLUMNS), Gram::new(COLUMNS)];
    let mut filters: Vec<Filter> = Vec::new();
    let longest = series.longest_step();
    let mut last: Option<(Point, f64)> = None;
    let start = series.points.first().map_or(0.0, |it| it.seconds);
    let mut decays = Decays::default();
    let mut run = 0;
    for point in &series.points {
        let driven = drive.watts(point);
        match last {
            Some((before, was)) if point.seconds - before.seconds <= longest => {
                let step = point.seconds - before.seconds;
                let decays = decays.of(step);
                for (filter, decay) in filters.iter_mut().zip(decays) {
                    filter.pass_decayed(step, *decay, was, driven);
                }
            }
            _ => {
                let masses = (1..TARGET).map(|it| Filter::at_rest(time_constant(it), driven));
                filters = masses.collect();
                run += 1;
            }
        }
        last = Some((*point, driven));
        let window = series.window(point.seconds - start);
        let mut row = [0.0; COLUMNS];
        row[0] = point.watts;
        for (value, filter) in row[1..].iter_mut().zip(&filters) {
            *value = filter.state();
        }
        row[TARGET] = point.core_celsius;
        // After a gap, another offset.
        let number = window.number * 100_000 + run;
        grams[usize::from(window.held_out)].add(number, &mut row);
    }
    for gram in &mut grams {
        gram.close();
    }
    grams
}

/// e^(−step / time constant) of all masses: steps repeat.
#[derive(Default)]
struct Decays {
    step: f64,
    decays: Vec<f64>,
}

impl Decays {
    fn of(&mut self, step: f64) -> &[f64] {
        if self.decays.is_empty() || (step - self.step).abs() > 1e-6 {
            self.step = step;
            let decay = |column| (-step / time_constant(column)).exp();
            self.decays = (1..TARGET).map(decay).collect();
        }
        &self.decays
    }
}

#[cfg(test)]
mod tests;
