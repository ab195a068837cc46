//! The bound: a card whose limit is set by one who knows the plant, its state and the load to come.
//!
//! It stays at or under a ceiling, and holds alert where the ceiling would lead over it. Of all
//! ceilings it takes the one that does the most work over whole periods: on a curve that bends, the
//! same limit all the time does more than one that spends the cool first seconds of each burst.

use std::time::Duration;

use thermal_guard::sim::plant;
use thermal_guard::sim::plant::State;
use thermal_guard::units::{Moment, Ratio, Watts};

use super::plants::{Plant, STEP};

/// The window in which work counts: whole periods at the end of the hour.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Moment,
    pub(crate) until: Moment,
}

impl Window {
    /// The second half of an hour, in whole periods.
    pub(crate) fn of(plant: &Plant) -> Self {
        const HOUR: f64 = 3600.0;
        const HALF: f64 = 1800.0;
        let period = plant.pulses.period();
        let length = (HALF / period).floor() * period;
        Self {
            from: Moment::from_secs_f64(HOUR - length),
            until: Moment::from_secs_f64(HOUR),
        }
    }

    pub(crate) fn holds(&self, now: Moment) -> bool {
        self.from <= now && now < self.until
    }
}

/// The work of the oracle in the window, as a share of what the load asked for.
pub(crate) fn bound(plant: &Plant) -> f64 {
    const CEILINGS: u32 = 13;
    let ceilings = (0..CEILINGS).map(|step| 0.7 + 0.025 * f64::from(step));
    ceilings
        .map(|ceiling| work(plant, ceiling))
        .fold(0.0, f64::max)
}

fn work(plant: &Plant, ceiling: f64) -> f64 {
    let window = Window::of(plant);
    let ceiling = plant.profile.default_limit.scaled(Ratio::new(ceiling));
    let mut state = State::idle_at(plant.profile, plant.inlet);
    let mut before = state;
    let mut now = Moment::START;
    while now < window.until {
        let limit = most(plant, &state, now, ceiling);
        if !window.holds(now) {
            before = state;
        }
        step(plant, &mut state, now, limit);
        now = now + STEP;
    }
    (state.work_done - before.work_done) / (state.work_asked - before.work_asked)
}

fn step(plant: &Plant, state: &mut State, now: Moment, limit: Watts) {
    let inputs = plant.inputs(now, limit);
    plant::advance(plant.profile, state, &inputs, STEP);
}

/// The highest limit that ends the step at or under alert. The end is linear in the draw.
fn most(plant: &Plant, state: &State, now: Moment, ceiling: Watts) -> Watts {
    const FAR: f64 = -12.0;
    if plant.over_alert(state) < FAR {
        return ceiling;
    }
    let over = |limit: Watts| {
        let mut end = *state;
        step(plant, &mut end, now, limit);
        plant.over_alert(&end)
    };
    let high = over(ceiling);
    if high <= 0.0 {
        return ceiling;
    }
    let least = plant.profile.min_limit;
    let low = over(least);
    if low >= high {
        return least;
    }
    let share = (-low / (high - low)).clamp(0.0, 1.0);
    let room = ceiling.saturating_sub(least);
    Watts::from_milliwatts(least.milliwatts() + room.scaled(Ratio::new(share)).milliwatts())
}

/// How long the guard is watched.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
