//! The physical bound: a card that runs at full power until the nearest sensor is at alert, and
//! then stays exactly there, because the oracle knows the model, its state and the future.
//!
//! For each second it finds the highest effort that keeps the true temperature at or below the
//! target until the end of the second. From there, the lowest effort must also keep it there.

use std::time::Duration;

use crate::sim::card::Conditions;
use crate::sim::node::{AT_REST, TICK};
use crate::sim::plant;
use crate::sim::plant::{Inputs, State};
use crate::sim::profile::{LimitOffer, Profile};
use crate::units::{Celsius, Ratio, Watts};

use super::meter::{Batch, Meter, Passed};
use super::physics::Truth;
use super::scenario::Story;
use super::world::World;

/// The oracle's result.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bound {
    /// Relative to the unlimited load.
    pub(crate) throughput: f64,
    pub(crate) overshoot: f64,
}

/// The number of halvings in the search: it finds the limit to 0.02 % of its range.
const HALVINGS: u32 = 12;

/// The number of half seconds to look ahead at the lowest effort, while the temperature still
/// rises.
const LOOK_AHEAD: u32 = 30;

/// A card this far below its target can't reach it within a second.
const FAR: Celsius = Celsius::new(12.0);

/// The best throughput that stays `under` degrees below alert.
pub(crate) fn bound(story: Story, under: Celsius) -> Bound {
    let profile = story.profile;
    let mut world = World::new(story);
    let mut states = vec![State::idle_at(profile, AT_REST.inlet); story.cards()];
    let mut meters = vec![Meter::default(); story.cards()];
    let (mut asked, mut work, mut overshoot) = (0.0, 0.0, 0.0_f64);
    for _ in 0..story.seconds {
        let mut second = Vec::with_capacity(states.len());
        for (card, (state, meter)) in states.iter_mut().zip(&mut meters).enumerate() {
            let around = world.conditions(card, Batch::Normal);
            let effort = most(profile, state, &around, under);
            plant::advance(profile, state, &inputs(profile, &around, effort), TICK);
            let passed: Passed = meter.read(profile, state, Batch::Normal);
            asked += passed.asked;
            work += passed.work;
            overshoot = overshoot.max(passed.truth.over_alert);
            second.push(passed);
        }
        world.passed(&second);
    }
    Bound {
        throughput: if asked > 0.0 { work / asked } else { 1.0 },
        overshoot,
    }
}

/// The highest effort that keeps the card at or below the target.
fn most(profile: &Profile, state: &State, around: &Conditions, under: Celsius) -> f64 {
    if holds(profile, state, around, 1.0, under) {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if holds(profile, state, around, middle, under) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn holds(
    profile: &Profile,
    state: &State,
    around: &Conditions,
    effort: f64,
    under: Celsius,
) -> bool {
    let over = |state: &State| Truth::of(profile, state).over_alert + under.degrees();
    if over(state) < -FAR.degrees() {
        return true;
    }
    let mut state = *state;
    plant::advance(profile, &mut state, &inputs(profile, around, effort), TICK);
    let mut reached = over(&state);
    for _ in 0..LOOK_AHEAD {
        if reached > 0.0 {
            return false;
        }
        let least = inputs(profile, around, 0.0);
        plant::advance(profile, &mut state, &least, Duration::from_millis(500));
        let next = over(&state);
        if next <= reached {
            return true;
        }
        reached = next;
    }
    reached <= 0.0
}

/// One number for the effort of a card. Its upper half is the power limit from the minimum to the
/// default; its lower half is the GPU clock at the minimum limit. A card without a limit gets as far by
/// its clock: the same draw is the same speed.
fn inputs(profile: &Profile, around: &Conditions, effort: f64) -> Inputs {
    let max = profile.default_limit.as_f64();
    let min = match profile.limit {
        LimitOffer::Settable => profile.min_limit.as_f64(),
        LimitOffer::Refused | LimitOffer::Absent => max * profile.lowest_draw(),
    };
    let share = (effort * 2.0 - 1.0).max(0.0);
    let speed = profile.slowest() + (1.0 - profile.slowest()) * effort * 2.0;
    let lock = || profile.gpu_clock_max.scaled(Ratio::new(speed));
    Inputs {
        load: around.load,
        inlet: around.inlet,
        airflow_resistance: around.airflow_resistance,
        hbm_resistance: around.hbm_resistance,
        limit: Watts::from_f64(min + (max - min) * share),
        gpu_clock_lock: (effort < 0.5).then(lock),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile;
    use crate::sim::scenarios::scenario::Scenario;

    fn story(scenario: Scenario, profile: &'static Profile) -> Story {
        Story {
            scenario,
            profile,
            seconds: 900,
        }
    }

    #[test]
    fn it_never_exceeds_alert_and_wastes_nothing_under_it() {
        use Scenario::{AirflowLoss, Bursty, FloorTooHigh, HbmLimited, HotInlet, SharedAir};
        for scenario in [
            AirflowLoss,
            Bursty,
            FloorTooHigh,
            HbmLimited,
            HotInlet,
            SharedAir,
        ] {
            for profile in profile::ALL {
                if scenario.misfit(profile).is_none() {
                    let bound = bound(story(scenario, profile), Celsius::new(0.0));
                    let over = bound.overshoot;
                    let what = format!("{} {}: {over}", scenario.name(), profile.key);
                    assert!((-0.05..0.1).contains(&over), "{what}");
                }
            }
        }
    }

    #[test]
    fn without_heat_it_is_the_whole_load() {
        let story = story(Scenario::CoolRoom, &profile::H100);
        let bound = bound(story, Celsius::new(0.0));
        assert!((bound.throughput - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_hot_room_takes_what_it_is_defined_by() {
        let mut story = story(Scenario::HotInlet, &profile::A100_80GB);
        story.seconds = 1800;
        let long = bound(story, Celsius::new(0.0)).throughput;
        // 73 % of the limit, of a draw that leakage raises by 4 %, on the curve.
        let steady = story.profile.curve.throughput(0.73 / 1.043);
        assert!((steady..steady + 0.01).contains(&long), "{steady} {long}");
    }
}
