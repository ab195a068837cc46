//! What a throttle cost, and what the card's own slowdown would have taken.

use proptest::prelude::*;

use thermal_guard::guard::Tick;
use thermal_guard::policy::cooling::Receipt;
use thermal_guard::policy::{Settings, State, Transition};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile::Profile;

use super::any_card::{Jobs, any_card, around, load, rests, where_it_falls_to};
use crate::common::cases::{cases, times};
use crate::common::dice::Dice;
use crate::common::figures::tell;
use crate::common::virtual_node::Node;

/// The operators' bar, in shares of the work.
const WITHIN: f64 = 0.05;
/// A range is one, to this: a load that changes makes a card's own slowdown hunt.
const RANGE_WITHIN: f64 = 0.04;

/// A shorter throttle is a matter of single seconds.
const LONG: f64 = 300.0;

/// Why a card gets hot.
#[derive(Clone, Copy, PartialEq)]
enum Cause {
    FanFails,
    RoomWarms,
    LoadInHotRoom,
}

/// What happens around a card: some history, ten minutes of rest or of the same load, then the cause.
struct Course {
    profile: &'static Profile,
    cause: Cause,
    inlets: (f64, f64),
    airflow: f64,
    warms_within: f64,
    begins: usize,
    compute_bound: f64,
    powers: Vec<f64>,
}

impl Course {
    fn any(dice: &mut Dice) -> Self {
        let profile = any_card(dice);
        let cause = [Cause::FanFails, Cause::RoomWarms, Cause::LoadInHotRoom][dice.index(3)];
        let power = dice.between(0.6, 0.95);
        let airflow = dice.between(1.1, 1.8);
        let over = dice.between(-6.0, 20.0);
        let rest = |inlet: f64| {
            let full = around(load(power), inlet, airflow);
            rests(profile, full, profile.default_limit.as_f64()).0
        };
        let hot = where_it_falls_to(-over, (15.0, 48.0), rest);
        let cool = match cause {
            Cause::RoomWarms => (hot - dice.between(8.0, 22.0)).max(10.0),
            Cause::FanFails | Cause::LoadInHotRoom => hot,
        };
        let history = [0, 900, 3600][dice.index(3)];
        let begins = history + 600;
        let steady = dice.one_in(2);
        let (mut before, mut after) = (Jobs::default(), Jobs::default());
        let powers = (0..begins + 1800).map(|second| {
            if second < history {
                before.next((0.3, 0.8), dice)
            } else if second < begins && cause == Cause::LoadInHotRoom {
                0.0
            } else if second < begins || steady {
                power
            } else {
                after.next((0.8 * power, power), dice)
            }
        });
        let powers = powers.collect();
        Self {
            profile,
            cause,
            inlets: (cool, hot),
            airflow,
            warms_within: dice.between(900.0, 1800.0),
            begins,
            compute_bound: if dice.one_in(3) {
                dice.between(0.3, 1.0)
            } else {
                1.0
            },
            powers,
        }
    }

    fn at(&self, second: usize) -> Conditions {
        let since = second.saturating_sub(self.begins) as f64;
        let (cool, hot) = self.inlets;
        let inlet = cool + (hot - cool) * (since / self.warms_within).min(1.0);
        let fan_runs = self.cause == Cause::FanFails && second < self.begins;
        let airflow = if fan_runs { 1.0 } else { self.airflow };
        let load = Load {
            power: self.powers[second],
            compute_bound: self.compute_bound,
        };
        around(load, inlet, airflow)
    }
}

/// A throttle as its receipt tells it, and in truth: shares that were lost with and without the guard.
#[derive(Debug)]
struct Judged {
    receipt: Receipt,
    lost: f64,
    unguarded: f64,
    /// All of the work follows the clock.
    by_clock: bool,
}

/// Work done with the guard and without, and asked for.
fn work(node: &Node, alone: &Node) -> [f64; 3] {
    let (guarded, alone) = (node.rack.card(0).state, alone.rack.card(0).state);
    [guarded.work_done, alone.work_done, guarded.work_asked]
}

fn has_ended(tick: &Tick) -> bool {
    tick.decision.transition == Some(Transition::Recovered)
}

fn judge(course: &Course) -> Vec<Judged> {
    let mut node = Node::new(&[course.profile], &Settings::default());
    let mut alone = Node::new(&[course.profile], &Settings::default());
    let mut begun = None;
    let mut all = Vec::new();
    for second in 0..course.powers.len() {
        for node in [&node, &alone] {
            node.set(0, course.at(second));
        }
        alone.step_unguarded();
        let tick = node.step().swap_remove(0);
        let now = work(&node, &alone);
        if tick.decision.state != State::Normal {
            begun.get_or_insert(now);
        }
        let last = second + 1 == course.powers.len();
        let over = has_ended(&tick) || (last && tick.decision.state != State::Normal);
        if let Some(before) = begun.filter(|_| over) {
            begun = None;
            let [guarded, alone, asked] = [0, 1, 2].map(|at| now[at] - before[at]);
            let receipt = tick.receipt.filter(|receipt| receipt.asked >= LONG);
            all.extend(receipt.map(|receipt| Judged {
                receipt,
                lost: 1.0 - guarded / asked,
                unguarded: 1.0 - alone / asked,
                by_clock: course.compute_bound >= 1.0,
            }));
        }
    }
    all
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn a_receipt_tells_what_any_throttle_cost(seed in any::<u64>()) {
        for judged in judge(&Course::any(&mut Dice(seed))) {
            let Judged { receipt, lost, unguarded, by_clock } = judged;
            let (least, most) = (receipt.lost_least.value(), receipt.lost.value());
            prop_assert!((least - 0.01..=most + 0.01).contains(&lost), "{judged:?}");
            if by_clock {
                prop_assert!((most - lost).abs() <= WITHIN, "{judged:?}");
            }
            if let Some(told) = receipt.unguarded {
                let range = told.least.value() - RANGE_WITHIN..=told.most.value() + RANGE_WITHIN;
                prop_assert!(range.contains(&unguarded), "{judged:?}");
            }
        }
    }
}

/// A receipt that never tells would pass the property.
#[test]
fn most_receipts_tell_what_nothing_would_have_cost() {
    let courses =
        (0..5 * u64::from(times()).min(20)).map(|seed| judge(&Course::any(&mut Dice(seed))));
    let all: Vec<_> = courses.flatten().collect();
    let known = all.iter().filter(|it| it.receipt.unguarded.is_some());
    let mut off: Vec<f64> = known
        .clone()
        .filter(|it| it.by_clock)
        .map(|it| (it.receipt.unguarded.unwrap().lost.value() - it.unguarded).abs())
        .collect();
    off.sort_by(f64::total_cmp);
    let lost = all.iter().filter(|it| it.by_clock);
    let lost = lost.map(|it| (it.receipt.lost.value() - it.lost).abs());
    tell(&format!(
        "receipts: {} throttles, lost within {:.1} points; without the guard told of {}, within {:.1} points at the median, {:.1} at the most",
        all.len(),
        lost.fold(0.0, f64::max) * 100.0,
        known.clone().count(),
        off[off.len() / 2] * 100.0,
        off[off.len() - 1] * 100.0,
    ));
    assert!(2 * known.count() >= all.len(), "{all:?}");
}

/// The control: a card that nobody has seen free tells no cost.
#[test]
fn a_guard_that_starts_over_a_hot_card_tells_no_cost() {
    let profile = any_card(&mut Dice(1));
    let mut node = Node::new(&[profile], &Settings::default());
    node.set(0, around(load(0.9), 60.0, 1.6));
    for _ in 0..600 {
        node.step_unguarded();
    }
    let ticks = node.run(600);
    assert_ne!(ticks[0].decision.state, State::Normal);
    assert_eq!(ticks[0].receipt, None);
}
