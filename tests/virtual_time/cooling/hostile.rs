//! The estimates under what real nodes do to them: restarts, replaced cards, sensors that are missing, a
//! suspended machine, cards that never work. None of it may call a card badly cooled.

use std::sync::Arc;
use std::time::Duration;

use thermal_guard::device::{Identity, Uuid};
use thermal_guard::guard::Tick;
use thermal_guard::guard::state::Live;
use thermal_guard::policy::cooling::Than;
use thermal_guard::policy::{Settings, State};
use thermal_guard::sim::faults::{Answer, Call, NOT_SUPPORTED};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;

use super::any_card::{Jobs, around, load};
use crate::common::dice::Dice;
use crate::common::virtual_node::Node;

const POLL: Duration = Duration::from_secs(5);

/// A card in a steady room, with jobs of minutes.
struct Bench {
    node: Node,
    jobs: Jobs,
    dice: Dice,
    powers: (f64, f64),
    card: Arc<Identity>,
}

impl Bench {
    fn new(powers: (f64, f64)) -> Self {
        let profile = profile::named("a100-80gb").unwrap();
        let mut node = Node::new(&[profile], &Settings::default());
        let card = node.step().swap_remove(0).identity;
        Self {
            node,
            card,
            jobs: Jobs::default(),
            dice: Dice(7),
            powers,
        }
    }

    fn poll(&mut self) -> Tick {
        let mut power = 0.0;
        for _ in 0..POLL.as_secs() {
            power = self.jobs.next(self.powers, &mut self.dice);
        }
        self.node.set(0, around(load(power), 22.0, 1.0));
        self.node.step_by(POLL).swap_remove(0)
    }

    /// Returns the last tick. No card is called badly cooled meanwhile.
    fn minutes(&mut self, minutes: u64) -> Tick {
        let mut last = self.poll();
        for _ in 1..minutes * 12 {
            assert!(!is_worse(&last));
            last = self.poll();
        }
        last
    }

    /// Until `fits` fits are remembered.
    fn learn(&mut self, fits: usize) -> Tick {
        for _ in 0..48 {
            let tick = self.minutes(30);
            if self.known() >= fits {
                return tick;
            }
        }
        panic!("{} fits in a day", self.known());
    }

    fn known(&self) -> usize {
        let cooling = self.node.shared.recall_cooling(&self.card);
        cooling.remembered().pictures[0].fits.len()
    }
}

fn is_worse(tick: &Tick) -> bool {
    let worse = Than::ALL.map(|than| tick.cooling.is_worse(than));
    worse.contains(&Some(true))
}

#[test]
fn restarts_in_the_midst_of_a_fit_cost_that_fit_and_nothing_else() {
    let mut bench = Bench::new((0.3, 0.7));
    let before = bench.learn(3).cooling;
    let known = bench.known();
    for _ in 0..5 {
        bench.minutes(25);
        bench.node.restart(0);
    }
    let tick = bench.minutes(1);
    assert_eq!(bench.known(), known, "no half fit is kept");
    assert_eq!(tick.cooling.resistance, before.resistance);
    bench.learn(known + 1);
}

/// A machine that sleeps, or whose driver hangs: nobody knows what the card did meanwhile.
#[test]
fn a_gap_in_the_readings_is_a_new_beginning() {
    let mut bench = Bench::new((0.3, 0.7));
    let before = bench.learn(3).cooling.resistance.unwrap();
    for _ in 0..6 {
        bench.minutes(25);
        bench.node.set(0, around(load(0.7), 40.0, 1.0));
        bench.node.pass(Duration::from_secs(7 * 3600));
    }
    let after = bench.learn(7).cooling.resistance.unwrap();
    assert!((after / before - 1.0).abs() < 0.1, "{before} {after}");
}

#[test]
fn a_card_that_never_works_hard_tells_nothing_wrong() {
    let mut bench = Bench::new((0.15, 0.22));
    for _ in 0..16 {
        let tick = bench.minutes(30);
        assert_eq!(tick.cooling.sustainable, None);
        let resistance = tick.cooling.resistance;
        let truth = 52.0 / 400.0;
        assert!(
            resistance.is_none_or(|it| (it / truth - 1.0).abs() < 0.15),
            "{resistance:?}"
        );
    }
}

#[test]
fn in_observe_the_cooling_is_judged_and_nothing_is_charged() {
    let mut bench = Bench::new((0.3, 0.7));
    bench.node.shared.reload(Live {
        observes: true,
        ..Live::default()
    });
    let tick = bench.learn(3);
    assert!(tick.cooling.resistance.is_some());
    bench.node.set(0, around(load(0.95), 45.0, 1.3));
    let tick = bench.node.run(900).swap_remove(0);
    assert_ne!(tick.decision.state, State::Normal);
    assert_eq!(tick.receipt, None);
    assert_eq!(tick.counters.work_lost, Duration::ZERO);
}

/// A card that is split into instances (MIG) tells no utilization.
#[test]
fn without_utilization_the_draw_tells_that_a_card_works() {
    let profile = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[profile], &Settings::default());
    let nothing = Answer::code(NOT_SUPPORTED).times(Answer::FOR_EVER);
    node.rack
        .card(0)
        .faults
        .answers
        .set(Call::Utilization, nothing);
    node.set(0, around(load(0.9), 25.0, 1.0));
    node.run(300);
    node.set(0, around(load(0.9), 42.0, 1.3));
    let tick = node.run(900).swap_remove(0);
    let receipt = tick.receipt.unwrap();
    assert!(
        receipt.asked > 300.0 && receipt.lost.value() > 0.02,
        "{receipt:?}"
    );
}

/// Without clocks there is no cost to tell; without a draw there is no resistance.
#[test]
fn a_card_that_tells_too_little_tells_no_cost() {
    let profile = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[profile], &Settings::default());
    let nothing = Answer::code(NOT_SUPPORTED).times(Answer::FOR_EVER);
    for call in [Call::SmClock, Call::PowerUsage, Call::Energy] {
        node.rack.card(0).faults.answers.set(call, nothing);
    }
    node.set(0, around(load(0.9), 25.0, 1.0));
    node.run(600);
    node.set(0, around(load(0.9), 42.0, 1.3));
    let tick = node.run(900).swap_remove(0);
    assert_eq!((tick.receipt, tick.cooling.sustainable), (None, None));
    assert_eq!(tick.cooling.resistance, None);
}

#[test]
fn a_replaced_card_begins_from_nothing_and_is_no_neighbour_any_more() {
    let mut bench = Bench::new((0.3, 0.7));
    bench.learn(3);
    let old = (*bench.card).clone();
    let mut new = old.clone();
    new.uuid = Uuid::new("GPU-new");
    let shared = &bench.node.shared;
    let begins = shared.recall_cooling(&new).remembered();
    assert!(!begins.is_something(), "another card's resistance");
    assert_eq!(shared.neighbours_ratio(&new), None);
    let back = shared.recall_cooling(&old).remembered();
    assert!(!back.is_something(), "it was taken out meanwhile");
}

/// Virtual machines may give a card another UUID at each start.
#[test]
fn a_hundred_uuids_in_one_slot_leave_room_for_the_next() {
    let Bench { node, card, .. } = Bench::new((0.3, 0.7));
    let cooling = node.shared.recall_cooling(&card);
    for number in 0..100 {
        let mut other = (*card).clone();
        other.uuid = Uuid::new(&format!("GPU-{number}"));
        node.shared.keep_cooling(&other, &cooling);
        assert!(node.shared.recall_cooling(&other).health().ratio.is_none());
    }
    node.shared.keep_cooling(&card, &cooling);
}

/// A load that never ends isn't the end of the world either.
#[test]
fn a_steady_load_tells_nothing_and_nothing_wrong() {
    let profile = profile::named("a100-80gb").unwrap();
    let mut node = Node::new(&[profile], &Settings::default());
    node.set(0, around(Load::FULL, 22.0, 1.0));
    for hour in 0..6 {
        for _ in 0..720 {
            node.step_by(POLL);
        }
        // The room warms by a degree an hour, and the card with it.
        node.set(0, around(Load::FULL, 22.0 + f64::from(hour), 1.0));
    }
    let tick = node.step().swap_remove(0);
    assert_eq!(tick.cooling.resistance, None);
    assert!(!is_worse(&tick));
}
