//! Tests a fit on the part that was held out.

use super::drive::Drive;
use super::filter::Filter;
use super::found::Modes;
use super::series::{Point, Series, range};

/// The largest error in the held-out part, beside its windows' own offsets; and whether that part goes
/// beyond the powers and fan speeds of the fitted one.
pub(super) fn check(series: &Series, drive: Drive, modes: &Modes) -> (f64, bool) {
    let start = series.points.first().map_or(0.0, |it| it.seconds);
    let mut filters: Vec<(f64, Filter)> = Vec::new();
    let longest = series.longest_step();
    let mut last: Option<(Point, f64)> = None;
    let mut window = Errors::default();
    let mut worst: f64 = 0.0;
    for point in &series.points {
        let driven = drive.watts(point);
        match last {
            Some((before, was)) if point.seconds - before.seconds <= longest => {
                for (_, filter) in &mut filters {
                    filter.pass(point.seconds - before.seconds, was, driven);
                }
            }
            _ => {
                let masses = modes.present().filter(|(_, seconds)| *seconds > 0.0);
                let masses = masses.map(|(r, seconds)| (r, Filter::at_rest(seconds, driven)));
                filters = masses.collect();
                worst = worst.max(window.end());
            }
        }
        last = Some((*point, driven));
        let at_once = modes.masses[0].0 * point.watts;
        let slower: f64 = filters.iter().map(|(r, filter)| r * filter.state()).sum();
        let place = series.window(point.seconds - start);
        if window.number != Some(place.number) {
            worst = worst.max(window.end());
            window.number = Some(place.number);
        }
        if place.held_out {
            window.errors.push(point.core_celsius - at_once - slower);
        }
    }
    (worst.max(window.end()), beyond(series, start))
}

#[derive(Default)]
struct Errors {
    number: Option<usize>,
    errors: Vec<f64>,
}

impl Errors {
    /// The largest distance from their mean.
    fn end(&mut self) -> f64 {
        let mean = self.errors.iter().sum::<f64>() / self.errors.len().max(1) as f64;
        let worst = self.errors.drain(..).map(|error| (error - mean).abs());
        worst.fold(0.0, f64::max)
    }
}

fn beyond(series: &Series, start: f64) -> bool {
    let held_out = |point: &&Point| series.window(point.seconds - start).held_out;
    let (held, fitted): (Vec<&Point>, Vec<&Point>) = series.points.iter().partition(held_out);
    let beyond = |value: fn(&Point) -> f64, slack: f64| {
        let (low, high) = range(fitted.iter().map(|point| value(point)));
        let (lower, higher) = range(held.iter().map(|point| value(point)));
        let slack = slack * high.abs();
        lower < low - slack || higher > high + slack
    };
    beyond(|point| point.watts, 0.05) || beyond(|point| point.fan.unwrap_or(1.0), 0.05)
}
