//! Other programs that set the power limit, at the paces that are known of them. What each of them means
//! for an operator is in `docs/neighbours.md`.

#![allow(clippy::unwrap_used, reason = "tests fail by panic")]

use thermal_guard::policy::{Settings, State};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Watts};

use crate::common::figures::tell;
use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// Every card is over alert here at full load, and can be held.
const HOT: Celsius = Celsius::new(42.0);
const HOUR: u64 = 3600;
/// The A100's alert is 7 °C under its critical temperature.
const ALERT: f64 = 7.0;
const WISH: Watts = Watts::from_watts(390);

/// A card that the guard throttles, beside a program that sets limits.
struct Scene {
    node: Node,
    /// How often the card became contested.
    contests: u32,
    contested: bool,
    /// The most over alert.
    overshoot: f64,
    writes_before: u64,
}

impl Scene {
    fn throttled() -> Self {
        let profile = profile::named("a100-80gb").unwrap();
        let mut node = Node::new(&[profile], &Settings::default());
        node.set(0, room(HOT));
        node.run_until(300, |ticks| ticks[0].decision.state == State::Gradual);
        node.run(300);
        let writes_before = node.rack.card(0).limit_writes;
        Self {
            node,
            contests: 0,
            contested: false,
            overshoot: f64::MIN,
            writes_before,
        }
    }

    fn step(&mut self) {
        let contested = self.node.step()[0].decision.contested;
        self.contests += u32::from(contested && !self.contested);
        self.contested = contested;
        let profile = profile::named("a100-80gb").unwrap();
        let margin = self.node.rack.card(0).state.margin(profile).degrees();
        self.overshoot = self.overshoot.max(ALERT - margin);
    }

    /// An hour beside a program that sets the limit which `sets` returns for a second, if any.
    fn hour(&mut self, sets: impl Fn(u64) -> Option<Watts>) {
        for second in 0..HOUR {
            if let Some(limit) = sets(second) {
                self.node.rack.card(0).limit = limit;
            }
            self.step();
        }
    }

    fn writes(&self) -> u64 {
        self.node.rack.card(0).limit_writes - self.writes_before
    }

    fn tell(&self, of: &str) {
        tell(&format!(
            "beside {of}: {:+.1} °C over alert at the most, {} writes in an hour, contested {} times",
            self.overshoot,
            self.writes(),
            self.contests
        ));
    }

    /// The other program has stopped, and the card cools down.
    #[track_caller]
    fn assert_given_back(&mut self, limit: Watts) {
        self.node.set(
            0,
            Conditions {
                load: Load::IDLE,
                ..room(COOL)
            },
        );
        self.node
            .run_until(2000, |ticks| ticks[0].decision.state == State::Normal);
        let card = self.node.rack.card(0);
        assert_eq!((card.limit, card.gpu_clock), (limit, None));
    }
}

/// An agent that enforces a limit by annotation, as Dynamo's Power Agent does every 15 s.
#[test]
fn a_patient_agent_costs_a_write_for_each_of_its_own_and_is_named_once() {
    let mut scene = Scene::throttled();
    scene.hour(|second| (second % 15 == 0).then_some(WISH));
    scene.tell("an agent that sets its limit every 15 s");
    assert!(scene.overshoot <= 1.5, "{}", scene.overshoot);
    assert_eq!(scene.contests, 1, "and it stays so");
    // Far from a write per tick: one for each of theirs, and one a minute for regulation and recovery.
    let theirs = HOUR / 15;
    assert!(scene.writes() <= theirs + HOUR / 60, "{}", scene.writes());
    scene.assert_given_back(WISH);
}

#[test]
fn an_agent_that_sets_its_limit_each_second_meets_the_clock_lock() {
    let mut scene = Scene::throttled();
    scene.hour(|_| Some(WISH));
    scene.tell("an agent that sets its limit each second");
    assert!(
        scene.overshoot < ALERT,
        "never critical: {}",
        scene.overshoot
    );
    assert_eq!(scene.contests, 1);
    assert!(scene.node.rack.card(0).gpu_clock.is_some());
    assert!(scene.writes() <= HOUR / 10 + 30, "{}", scene.writes());
    scene.assert_given_back(WISH);
}

/// Dynamic Boost moves the limit up and down by itself, in small steps.
#[test]
fn a_daemon_that_moves_the_limit_is_followed_down_and_corrected_up() {
    let mut scene = Scene::throttled();
    let moved = |second: u64| {
        // A fixed sequence without a period of the guard's own.
        let step = second.wrapping_mul(2_654_435_761) >> 7;
        Watts::from_watts(u32::try_from(250 + step % 140).unwrap_or(250))
    };
    scene.hour(|second| (second % 3 == 0).then(|| moved(second)));
    scene.tell("a daemon that moves the limit every 3 s");
    assert!(
        scene.overshoot < ALERT,
        "never critical: {}",
        scene.overshoot
    );
    assert!(scene.writes() <= HOUR / 10 + 30, "{}", scene.writes());
    scene.assert_given_back(moved(HOUR - 3));
}

/// A batch system sets a profile when a job starts, and the default when it ends.
#[test]
fn a_profile_set_once_is_obeyed_below_and_given_back_above() {
    let mut scene = Scene::throttled();
    let low = Watts::from_watts(150);
    scene.hour(|second| (second == 0).then_some(low));
    assert_eq!(scene.node.limit(0), low, "a lower one stays");
    assert_eq!(scene.writes(), 0, "untouched");
    scene.hour(|second| (second == 60).then_some(Watts::from_watts(400)));
    scene.tell("a batch system that sets a profile once and takes it back");
    assert!(scene.overshoot <= 1.5, "{}", scene.overshoot);
    assert_eq!(scene.contests, 0, "once is no contest");
    scene.assert_given_back(Watts::from_watts(400));
}

#[test]
fn on_a_cool_card_others_set_what_they_like() {
    let profile = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[profile], &Settings::default());
    node.set(0, room(COOL));
    for second in 0..HOUR {
        node.rack.card(0).limit = Watts::from_watts(200 + u32::try_from(second % 200).unwrap());
        node.step();
    }
    assert_eq!(node.rack.card(0).limit_writes, 0);
}
