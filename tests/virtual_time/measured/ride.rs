//! One hour of the real worker on a plant, and its figures.

use std::time::Duration;

use thermal_guard::policy::Settings;
use thermal_guard::sim::node::Node;
use thermal_guard::units::Moment;

use super::oracle::{HOUR, Window, bound};
use super::plants::{Plant, STEP, STEPS_PER_SECOND, with_noise};

/// The figures of a plant: means over all seeds, but for the overshoot, the highest of all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Of the bound, in the second half of the hour.
    pub(crate) share: f64,
    /// Degrees over alert: in the whole hour, and in its last two thirds.
    pub(crate) overshoot: f64,
    pub(crate) overshoot_late: f64,
    /// Share of the last two thirds.
    pub(crate) time_over: f64,
    pub(crate) writes_per_hour: f64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.3} of the bound, {:+.2} °C over alert ({:+.2} later, {:.1} % of the time), {:.0} writes per hour",
            self.share,
            self.overshoot,
            self.overshoot_late,
            self.time_over * 100.0,
            self.writes_per_hour,
        )
    }
}

/// `noise`: the standard deviation of the readings; `None`: as the card's profile has it.
pub(crate) fn figures(plant: &Plant, seeds: u64, noise: Option<f64>) -> Figures {
    let bound = bound(plant);
    let profile = noise.map_or(plant.profile, |noise| with_noise(plant.profile, noise));
    let heard = Plant { profile, ..*plant };
    let rides: Vec<_> = (0..seeds).map(|seed| ride(&heard, seed)).collect();
    let mean = |of: fn(&Figures) -> f64| rides.iter().map(of).sum::<f64>() / seeds as f64;
    let most = |of: fn(&Figures) -> f64| rides.iter().map(of).fold(f64::MIN, f64::max);
    Figures {
        share: mean(|ride| ride.share) / bound,
        overshoot: most(|ride| ride.overshoot),
        overshoot_late: most(|ride| ride.overshoot_late),
        time_over: mean(|ride| ride.time_over),
        writes_per_hour: mean(|ride| ride.writes_per_hour),
    }
}

/// A repeatable number from 0 to 1 for each seed and place.
fn chance(seed: u64, place: u64) -> f64 {
    let mut mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ place.wrapping_add(1).wrapping_mul(0xd129_0d1e_8bb3_6b0d);
    for _ in 0..3 {
        mixed ^= mixed >> 29;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

/// The share is the work's here, not yet of the bound.
fn ride(plant: &Plant, seed: u64) -> Figures {
    const ARRIVED: Moment = Moment::from_start(Duration::from_secs(1200));
    let plant = Plant {
        pulses: plant.pulses.from_phase(chance(seed, u64::MAX)),
        ..*plant
    };
    let window = Window::of(&plant);
    let mut node = Node::new(&[plant.profile], &Settings::default());
    node.rack.card(0).reseed(seed);
    node.rack
        .card(0)
        .set_timeline(Box::new(move |now| plant.conditions(now)));
    let mut before = (node.rack.card(0).state, 0);
    let (mut overshoot, mut late, mut over, mut steps) = (f64::MIN, f64::MIN, 0_u32, 0_u32);
    for tick in 0.. {
        // A tick is up to a twentieth of a second early or late.
        let length = STEPS_PER_SECOND - 1 + (chance(seed, tick) * 3.0) as u64;
        for _ in 0..length {
            if node.now() < window.from {
                let card = node.rack.card(0);
                before = (card.state, card.limit_writes);
            }
            node.pass(STEP);
            let above = plant.over_alert(&node.rack.card(0).state);
            overshoot = overshoot.max(above);
            if node.now() > ARRIVED {
                late = late.max(above);
                over += u32::from(above > 0.0);
                steps += 1;
            }
        }
        if node.now() >= Moment::START + HOUR {
            break;
        }
        node.tick();
    }
    let card = node.rack.card(0);
    let (state, writes) = before;
    let hours = window.until.since(window.from).as_secs_f64() / HOUR.as_secs_f64();
    Figures {
        share: (card.state.work_done - state.work_done)
            / (card.state.work_asked - state.work_asked),
        overshoot,
        overshoot_late: late,
        time_over: f64::from(over) / f64::from(steps),
        writes_per_hour: (card.limit_writes - writes) as f64 / hours,
    }
}
