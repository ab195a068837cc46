//! When a throttle begins, for whom, how strong it is, and when there is nothing colder.

use super::*;
use crate::policy::Asks;

#[test]
fn a_cool_card_is_left_alone() {
    let mut card = Card::new();
    for _ in 0..100 {
        let decision = card.tick(WARM);
        let nothing = Decision {
            heat: decision.heat,
            sensors: decision.sensors,
            knobs: decision.knobs,
            hold_left: decision.hold_left,
            ..Decision::unseen()
        };
        assert_eq!(decision, nothing);
    }
    assert!(card.claim.is_empty());
}

#[test]
fn trips_are_the_cards() {
    let card = Card::new();
    assert_eq!(card.policy.trips().core.critical, Celsius::new(85.0));
}

#[test]
fn critical_is_an_emergency_at_once_and_eased_below_alert_for_the_delay() {
    let mut card = Card::new();
    let decision = card.tick(CRITICAL);
    assert_eq!(decision.level, Level::Emergency);
    let begun = Transition::Throttled(Level::Emergency, Trigger::Local);
    assert_eq!(decision.transition, Some(begun));
    assert_eq!(decision.targets.limit, Some(w(100)));
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
    assert_eq!(decision.targets.app, AppMode::Emergency);
    assert_eq!(card.tick(CRITICAL).transition, None, "once");
    for second in 0..30 {
        assert_eq!(card.tick(77.5).state, State::Emergency, "{second}");
    }
    let eased = card.tick(77.5);
    assert_eq!(
        (eased.state, eased.transition),
        (State::Gradual, Some(Transition::Eased))
    );
    assert_eq!(eased.trigger, Some(Trigger::Local));
    assert!(
        eased.targets.limit <= Some(w(132)),
        "a step from the bottom"
    );
}

#[test]
fn the_local_loop_acts_at_its_set_point_and_says_for_whom() {
    for (fallback, trigger) in [(false, Trigger::Local), (true, Trigger::Fallback)] {
        let mut card = Card::new();
        card.fallback = fallback;
        card.tick(WARM);
        let decision = card.tick(77.0);
        let begun = Transition::Throttled(Level::Gradual, trigger);
        assert_eq!(decision.transition, Some(begun));
        assert_eq!(decision.asks.local, Level::Gradual);
        assert_eq!(decision.trigger, Some(trigger));
    }
}

#[test]
fn a_throttle_is_by_the_first_that_asks_for_as_much_the_card_itself_before_others() {
    let (none, gradual, emergency) = (Level::None, Level::Gradual, Level::Emergency);
    for (local, alert, manual, level, fallback, trigger) in [
        (gradual, gradual, none, gradual, false, Trigger::Local),
        (gradual, none, none, gradual, true, Trigger::Fallback),
        (gradual, emergency, none, emergency, true, Trigger::Alert),
        (none, gradual, gradual, gradual, false, Trigger::Alert),
        (none, gradual, gradual, gradual, true, Trigger::Alert),
        (none, none, gradual, gradual, false, Trigger::Manual),
        (
            gradual,
            gradual,
            emergency,
            emergency,
            false,
            Trigger::Manual,
        ),
    ] {
        let asks = Asks {
            local,
            alert,
            manual,
        };
        assert_eq!(asks.trigger(level, fallback), trigger, "{asks:?}");
    }
}

#[test]
fn a_paused_card_is_not_regulated_but_critical_acts() {
    let mut card = Card::new();
    card.paused = true;
    card.asked = alert(Level::Emergency);
    assert_eq!(card.tick(HOT).state, State::Normal);
    assert_eq!(card.tick(CRITICAL).state, State::Emergency);
    let mut card = Card::new();
    card.tick(HOT);
    let held = card.limit();
    card.paused = true;
    for _ in 0..20 {
        let decision = card.tick(82.0);
        assert_eq!(decision.state, State::Gradual, "not released while hot");
        assert_eq!(card.limit(), held, "nor taken further");
    }
}

#[test]
fn a_card_above_its_set_point_on_the_coldest_rung_is_infeasible_after_a_minute() {
    let mut card = Card::new();
    for second in 0..60 {
        assert!(!card.tick(CRITICAL).infeasible, "{second}");
    }
    assert!(card.tick(CRITICAL).infeasible);
    assert!(!card.tick(WARM).infeasible);
    assert!(!card.tick(CRITICAL).infeasible, "a minute anew");
    let mut gradual = Card::new();
    gradual.demand = w(100);
    gradual.tick(HOT);
    gradual.policy.regulator.bottom(at(0));
    for _ in 0..60 {
        assert!(!gradual.tick(HOT).infeasible);
    }
    assert!(gradual.tick(HOT).infeasible);
    let mut room = Card::new();
    room.tick(HOT);
    for _ in 0..5 {
        assert!(!room.tick(HOT).infeasible);
    }
    assert_eq!(room.policy.strained_since, None, "not the coldest rung");
}

#[test]
fn an_emergency_hands_over_at_the_bottom_and_blindness_does_not() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    assert!(card.policy.regulator.is_exhausted());
    let mut blind = Card::new();
    blind.tick(COOL);
    for _ in 0..5 {
        blind.tick_blind();
    }
    assert!(!blind.policy.regulator.is_exhausted());
}
