//! The governor on recorded physics, beside an oracle that knows the plant and the load to come.
//!
//! An ordinary run has a few plants and seeds; `make measured` has all of them, and prints the figures.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small, positive"
)]

mod chassis;
mod oracle;
mod plants;
mod ride;

use crate::common::figures::tell;

use plants::Plant;
use ride::{Figures, figures};

/// The figures that operators are promised of a steady load.
const STEADY_OF_BOUND: f64 = 0.97;
const STEADY_WRITES_PER_HOUR: f64 = 20.0;
/// Of loads that come and go, on the H100's hot position.
const BURSTS_OF_BOUND: f64 = 0.93;

/// Noise of the readings with which the overshoot is watched, too: the most that was recorded.
const NOISE: f64 = 1.2;

/// `None`: an ordinary run.
fn seeds() -> Option<u64> {
    std::env::var("THERMAL_GUARD_MEASURED").ok()?.parse().ok()
}

/// The most over alert, under all of these loads.
const OVERSHOOT: f64 = 1.5;
/// Of bursts that come faster than the guard reads, while the card heats up: nothing tells it their
/// peaks. The bar is what the governor reached that knew nothing of seen peaks. Later, it is as above.
const OVERSHOOT_UNSEEN: f64 = 2.19;

fn told(plant: &Plant, seeds: u64, noise: Option<f64>) -> Figures {
    let figures = figures(plant, seeds, noise);
    let noise = noise.map_or(String::new(), |noise| format!(", noise {noise} °C"));
    tell(&format!("{}{noise}: {figures}", plant.name));
    figures
}

#[test]
fn a_steady_load_gets_nearly_all_of_the_bound() {
    let plants = [plants::h100_hot(), plants::gtx_1080_ti()];
    for plant in plants {
        let figures = told(&plant, 1, None);
        assert!(
            figures.share >= STEADY_OF_BOUND,
            "{}: {figures}",
            plant.name
        );
        assert!(figures.overshoot <= OVERSHOOT, "{}: {figures}", plant.name);
    }
}

#[test]
fn bursts_get_most_of_what_one_gets_who_knows_them() {
    let plant = plants::h100_bursts(8.0, 4.0);
    let figures = told(&plant, 1, None);
    assert!(figures.share >= BURSTS_OF_BOUND, "{figures}");
    assert!(figures.overshoot <= OVERSHOOT, "{figures}");
}

#[test]
fn all_recorded_plants_and_loads() {
    let Some(seeds) = seeds() else { return };
    let steady = Bars {
        share: STEADY_OF_BOUND,
        writes_per_hour: STEADY_WRITES_PER_HOUR,
    };
    let bursts = Bars {
        share: BURSTS_OF_BOUND,
        writes_per_hour: f64::INFINITY,
    };
    let groups = [
        (plants::steady(), steady),
        (plants::bursts(), bursts),
        (plants::as_before(), bursts),
    ];
    for (plants, bars) in groups {
        for plant in plants {
            bars.judge(&plant, told(&plant, seeds, None));
            bars.judge(&plant, told(&plant, seeds, Some(NOISE)));
        }
    }
}

/// What a group of loads must reach.
#[derive(Clone, Copy)]
struct Bars {
    share: f64,
    writes_per_hour: f64,
}

impl Bars {
    fn judge(self, plant: &Plant, figures: Figures) {
        let name = plant.name;
        assert!(figures.share >= self.share, "{name}: {figures}");
        let unseen = (1.0..2.0).contains(&plant.pulses.period()) && plant.pulses.idle > 0.2;
        let most = if unseen { OVERSHOOT_UNSEEN } else { OVERSHOOT };
        assert!(figures.overshoot <= most, "{name}: {figures}");
        assert!(figures.overshoot_late <= OVERSHOOT, "{name}: {figures}");
        let writes = figures.writes_per_hour;
        assert!(writes <= self.writes_per_hour, "{name}: {figures}");
    }
}
