//! Judges one history, and the fleet.

use crate::thermal_fit::{Fit, Modes, Point, Series, fit};

use super::card::{Card, Wishes};
use super::heat;
use super::history::{History, Row};
use super::report::{FitReport, Fleet, GpuReport, Mass, Slice};
use super::verdict::{self, Verdict};
use super::whatif::what_if;

/// More samples don't sharpen a fit, and would take memory.
const MOST_POINTS: usize = 100_000;
/// Of a longer history, samples nearer than this add nothing.
const APART_SECONDS: f64 = 10.0;
/// Parts of the drawing.
const SLICES: usize = 180;

/// Judges one GPU.
pub fn gpu(history: &History, wishes: Wishes, period_seconds: f64) -> GpuReport {
    let card = Card::of(history, wishes);
    let has_core = history.rows.iter().any(|row| row.core_celsius().is_some());
    let heat = has_core.then(|| heat::heat(history, &card, period_seconds));
    let own = heat::own_slowdown(history);
    let fitted = fit(&series(history));
    let modes = fitted.as_ref().ok().map(|fit| fit.modes);
    let modes = modes.map(|modes| at_usual_fan(modes, fitted.as_ref().ok(), history));
    let played = has_core.then(|| what_if(history, &card, modes.as_ref()));
    let played = played.flatten();
    let guarded = history.told.guarded_seconds;
    let kept = heat.is_some_and(|heat| verdict::is_kept_under(&heat, &card, guarded));
    let verdict = verdict::verdict(heat.as_ref(), own.as_ref(), played.as_ref(), kept);
    let words = verdict::words(verdict, &card, heat.as_ref(), own.as_ref(), played.as_ref());
    GpuReport {
        gpu: history.name(),
        uuid: history.key.clone(),
        model: history.model.clone(),
        scrape_seconds: history.interval(),
        scrapes: history.rows.len(),
        alert_celsius: card.alert_celsius,
        critical_celsius: card.critical_celsius,
        thresholds_assumed: card.assumed,
        default_limit_watts: card.default_watts,
        heat,
        own_slowdown: own,
        guarded_seconds: guarded,
        unfit: fitted.as_ref().err().map(ToString::to_string),
        fit: fitted.ok().map(|fit| fit_report(&fit)),
        what_if: played,
        verdict,
        words,
        course: slices(history, period_seconds),
    }
}

/// The resistance at the fan's mean speed while hot: the guard changes no fan.
fn at_usual_fan(mut modes: Modes, fit: Option<&Fit>, history: &History) -> Modes {
    if fit.is_none_or(|fit| !fit.by_fan) {
        return modes;
    }
    let hottest = history.rows.iter().filter_map(Row::core_celsius);
    let hottest = hottest.fold(f64::NEG_INFINITY, f64::max);
    let hot = history
        .rows
        .iter()
        .filter(|row| row.core_celsius().is_some_and(|it| it > hottest - 5.0));
    let (sum, count) = hot
        .filter_map(Row::fan)
        .fold((0.0, 0.0), |(sum, count), fan| (sum + fan, count + 1.0));
    let fan = if count > 0.0 { sum / count } else { 1.0 };
    for (resistance, _) in modes.masses.iter_mut().skip(1) {
        *resistance /= fan.max(0.2);
    }
    modes
}

/// The samples for the fit.
pub fn series(history: &History) -> Series {
    let apart = if history.rows.len() > MOST_POINTS {
        APART_SECONDS
    } else {
        0.0
    };
    let mut points = Vec::new();
    let mut next = f64::NEG_INFINITY;
    for row in &history.rows {
        let (Some(core_celsius), Some(watts)) = (row.core_celsius(), row.watts()) else {
            continue;
        };
        if row.seconds() < next {
            continue;
        }
        next = row.seconds() + apart;
        points.push(Point {
            seconds: row.seconds(),
            watts,
            core_celsius,
            fan: row.fan(),
        });
    }
    Series { points }
}

fn fit_report(fit: &Fit) -> FitReport {
    let mass = |(celsius_per_watt, seconds)| Mass {
        celsius_per_watt,
        seconds,
    };
    FitReport {
        resistance_celsius_per_watt: fit.modes.resistance(),
        masses: fit.modes.present().map(mass).collect(),
        by_fan: fit.by_fan,
        fitted_rms_celsius: fit.fitted_rms_celsius,
        held_out_rms_celsius: fit.held_out_rms_celsius,
        held_out_worst_celsius: fit.worst_celsius,
        beyond: fit.beyond,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place within the period"
)]
fn slices(history: &History, period_seconds: f64) -> Vec<Slice> {
    let mut sums = vec![(f64::NEG_INFINITY, 0.0, 0.0); SLICES];
    for row in &history.rows {
        let Some(core) = row.core_celsius() else {
            continue;
        };
        let place = row.seconds() / period_seconds.max(1.0) * SLICES as f64;
        let slice = &mut sums[(place.max(0.0) as usize).min(SLICES - 1)];
        *slice = (slice.0.max(core), slice.1 + core, slice.2 + 1.0);
    }
    let slice = |(hottest_celsius, sum, count): (f64, f64, f64)| Slice {
        hottest_celsius: if count > 0.0 {
            hottest_celsius
        } else {
            f64::NAN
        },
        mean_celsius: if count > 0.0 { sum / count } else { f64::NAN },
    };
    sums.into_iter().map(slice).collect()
}

/// All GPUs together.
pub fn fleet(gpus: &[GpuReport]) -> Fleet {
    let count =
        |wanted: fn(&Verdict) -> bool| gpus.iter().filter(|gpu| wanted(&gpu.verdict)).count();
    let what_ifs = || gpus.iter().filter_map(|gpu| gpu.what_if);
    let mut fleet = Fleet {
        gpus: gpus.len(),
        not_needed: count(|it| *it == Verdict::NotNeeded),
        keeps_work: count(|it| *it == Verdict::KeepsWork),
        cooler: count(|it| it.is_cooler()),
        look_at_cooling: count(|it| *it == Verdict::LookAtCooling),
        unknown: count(|it| matches!(it, Verdict::CantTell | Verdict::HotWithoutFit)),
        interventions: what_ifs().map(|it| it.interventions).sum(),
        throttled_seconds: what_ifs().map(|it| it.throttled_seconds).sum(),
        lost_seconds: what_ifs().map(|it| it.lost_seconds).sum(),
        own_lost_seconds: what_ifs().map(|it| it.own_lost_seconds).sum(),
        verdict: String::new(),
    };
    fleet.verdict = fleet_words(&fleet);
    fleet
}

fn fleet_words(fleet: &Fleet) -> String {
    let all = fleet.gpus;
    if all == 0 {
        return "No GPU was found.".to_owned();
    }
    if fleet.not_needed == all {
        let each = if all == 1 { "The GPU" } else { "Each GPU" };
        return format!("Not needed: you don't need this. {each} stayed under its alert.");
    }
    let mut parts = Vec::new();
    let mut part = |count: usize, words: &str| {
        if count > 0 {
            parts.push(format!("{count} of {all} {words}"));
        }
    };
    part(fleet.keeps_work, "would keep work");
    part(fleet.cooler, "would run cooler, for some work");
    part(fleet.not_needed, "don't need it");
    part(fleet.look_at_cooling, "need better cooling first");
    part(fleet.unknown, "can't be judged");
    format!("{}.", parts.join("; "))
}
