//! What a card can draw for good, told after ten minutes of load.

use proptest::prelude::*;

use thermal_guard::policy::Settings;
use thermal_guard::sim::plant::Load;
use thermal_guard::units::Watts;

use super::any_card::{Jobs, any_card, around, load, rests, where_it_falls_to};
use crate::common::cases::{cases, times};
use crate::common::dice::Dice;
use crate::common::figures::tell;
use crate::common::virtual_node::Node;

/// The operators' bar for nearly all cards; and the worst that any may be off. Fans that turn faster
/// without cooling the card aren't known for such in ten minutes.
const WITHIN: f64 = 0.10;
const ALWAYS_WITHIN: f64 = 0.15;

/// Under its maximum operating temperature, a card is held here: half a degree under alert.
const HELD: f64 = 7.5;

/// What the estimate says, what is true, and the limit.
fn told(dice: &mut Dice) -> (Option<f64>, f64, f64) {
    let profile = any_card(dice);
    let (inlet, airflow) = (dice.between(16.0, 42.0), dice.between(1.0, 1.6));
    let limit = profile.default_limit.as_f64();
    // Somewhat more than the limit: a card at its lowest clock may draw a third of what it is asked for.
    let full = around(load(1.2), inlet, airflow);
    let rest = |watts: f64| rests(profile, full, watts);
    let bound = where_it_falls_to(HELD, (0.0, 1.2 * limit), |watts| rest(watts).0);
    let truth = rest(bound).1.min(limit);

    let mut node = Node::new(&[profile], &Settings::default());
    node.set(0, around(Load::IDLE, inlet, airflow));
    let idle = node.run(600).swap_remove(0);
    assert_eq!(idle.cooling.sustainable, None, "an idle card tells nothing");
    if dice.one_in(2) {
        let mut jobs = Jobs::default();
        for _ in 0..3600 {
            let power = jobs.next((0.3, 0.8), dice);
            node.set(0, around(load(power), inlet, airflow));
            node.step();
        }
    }
    node.set(0, around(load(dice.between(0.5, 1.0)), inlet, airflow));
    let tick = node.run(600).swap_remove(0);
    let told = tick.cooling.sustainable.map(Watts::as_f64);
    (told, truth, limit)
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn ten_minutes_of_load_tell_what_any_card_can_draw_for_good(seed in any::<u64>()) {
        let (told, truth, limit) = told(&mut Dice(seed));
        if let Some(told) = told {
            let off = told / truth - 1.0;
            prop_assert!(off.abs() <= ALWAYS_WITHIN, "{told:.0} W told, truly {truth:.0} W");
            prop_assert!(told <= limit, "{told:.0} W, and the limit is {limit:.0} W");
        }
    }
}

/// An estimate that is always absent would pass the property.
#[test]
fn most_cards_tell_what_they_can_draw_for_good() {
    let cards = 5 * u64::from(times()).min(20);
    let mut known: Vec<f64> = (0..cards)
        .filter_map(|seed| {
            let (told, truth, _) = told(&mut Dice(seed));
            told.map(|told| (told / truth - 1.0).abs())
        })
        .collect();
    known.sort_by(f64::total_cmp);
    tell(&format!(
        "for good: told of {} in {cards} cards after ten minutes of load, off by {:.1} % at the median, {:.1} % at the most",
        known.len(),
        known[known.len() / 2] * 100.0,
        known[known.len() - 1] * 100.0,
    ));
    assert!(5 * known.len() as u64 >= 3 * cards, "{known:?}");
    let off = known.iter().filter(|off| **off > WITHIN).count();
    assert!(20 * off <= known.len(), "{known:?}");
}
