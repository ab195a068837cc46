//! What physics allows: a card that runs at full power until the nearest sensor is at alert, and
//! then holds exactly that, because it knows the model, its state and what comes.
//!
//! Each second it takes the most that keeps the true temperature at or under the target to the
//! second's end, and leaves a way out: from there, the least the card can do must keep it so.

use std::time::Duration;

use crate::device::plant::{self, Inputs, State};
use crate::device::profile::Profile;
use crate::device::sim::Conditions;
use crate::guard::virtual_node::{AT_REST, TICK};
use crate::units::{Celsius, Ratio, Watts};

use super::physics::Truth;
use super::scene::{Batch, Meter, Passed, Scene, Story};

/// What the oracle reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    /// Relative to the load never limited.
    pub(super) throughput: f64,
    pub(super) overshoot: f64,
}

/// Half a step of this many is what the limit is found to: 0.02 % of its range.
const HALVINGS: u32 = 12;

/// So far ahead the way out is looked along, while the temperature still rises.
const LOOK_AHEAD: u32 = 30;

/// A card this far under its target reaches it in no single second.
const FAR: Celsius = Celsius::new(12.0);

/// The best throughput that stays `under` the alert.
pub(super) fn bound(story: Story, under: Celsius) -> Bound {
    let profile = story.profile;
    let mut scene = Scene::new(story);
    let mut states = vec![State::idle_at(profile, AT_REST.inlet); story.cards()];
    let mut meters = vec![Meter::default(); story.cards()];
    let (mut asked, mut work, mut overshoot) = (0.0, 0.0, 0.0_f64);
    for _ in 0..story.seconds {
        let mut second = Vec::with_capacity(states.len());
        for (card, (state, meter)) in states.iter_mut().zip(&mut meters).enumerate() {
            let around = scene.conditions(card, Batch::Normal);
            let effort = most(profile, state, &around, under);
            plant::advance(profile, state, &inputs(profile, &around, effort), TICK);
            let passed: Passed = meter.read(profile, state, Batch::Normal);
            asked += passed.asked;
            work += passed.work;
            overshoot = overshoot.max(passed.truth.over_alert);
            second.push(passed);
        }
        scene.passed(&second);
    }
    Bound {
        throughput: if asked > 0.0 { work / asked } else { 1.0 },
        overshoot,
    }
}

/// The highest effort that holds.
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

/// One number for what a card may do: the upper half of the way is the power limit from its
/// minimum to the default, the lower half the SM clock at the minimum limit.
fn inputs(profile: &Profile, around: &Conditions, effort: f64) -> Inputs {
    let (min, max) = (profile.min_limit.as_f64(), profile.default_limit.as_f64());
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
    use crate::cli::simulate::scenario::Scenario;
    use crate::device::profile;

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
