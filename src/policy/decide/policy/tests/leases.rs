//! What a lease holds, and what it is charged.

use super::*;

#[test]
fn a_lease_caps_the_limit_and_its_end_gives_back_after_the_delay() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    let decision = card.tick(COOL);
    let begun = Transition::Throttled(Level::Gradual, Trigger::Alert);
    assert_eq!(decision.transition, Some(begun));
    assert_eq!(decision.targets.limit, Some(w(340)), "85 % of the default");
    for _ in 0..60 {
        assert_eq!(card.tick(COOL).targets.limit, Some(w(340)));
    }
    card.asked = Asked::default();
    for second in 0..30 {
        let decision = card.tick(COOL);
        assert_eq!(decision.state, State::Gradual, "{second}");
        assert_eq!(card.limit() == w(340), second < 29, "{second}");
    }
    assert_eq!(card.tick(COOL).transition, Some(Transition::Recovering));
    let back = card.until(COOL, State::Normal);
    assert_eq!(
        (back.transition, back.trigger),
        (Some(Transition::Recovered), None)
    );
    assert_eq!(card.limit(), w(400));
    assert!(card.claim.is_empty());
}

#[test]
fn an_emergency_lease_is_an_emergency() {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    let decision = card.tick(COOL);
    assert_eq!((decision.state, card.limit()), (State::Emergency, w(100)));
}

#[test]
fn a_manual_lease_is_counted_as_manual() {
    let mut card = Card::new();
    card.asked.manual = Level::Gradual;
    let decision = card.tick(COOL);
    assert_eq!(decision.trigger, Some(Trigger::Manual));
    assert_eq!(decision.asks.manual, Level::Gradual);
}

#[test]
fn leases_hold_a_cool_card_for_at_most_max_hold_in_an_hour() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    let mut held = 0;
    let mut overheld = false;
    for _ in 0..3600 {
        let decision = card.tick(COOL);
        held += u64::from(decision.level > Level::None);
        overheld |= decision.overheld;
    }
    assert!(overheld);
    // Half a minute is left for giving back, which holds the GPU as well.
    assert!((1760..=1770).contains(&held), "{held}");
    assert_eq!(card.policy.last.level, Level::None);
}

#[test]
fn a_throttle_by_temperature_is_not_charged_to_leases() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.demand = w(100);
    for _ in 0..3600 {
        assert!(!card.tick(77.5).overheld);
    }
    assert_eq!(card.policy.ledger.spent(), Duration::ZERO);
}

#[test]
fn a_binding_setting_keeps_the_local_level_and_a_leases_ceiling_does_not() {
    let mut bound = Card::new();
    for _ in 0..5 {
        bound.tick(82.0);
    }
    assert!(bound.limit() < w(350), "regulated");
    for _ in 0..35 {
        bound.demand = bound.limit();
        assert_eq!(bound.tick(WARM).asks.local, Level::Gradual);
    }
    let mut leased = Card::new();
    leased.asked = alert(Level::Gradual);
    leased.tick(70.0);
    leased.policy.local.hold(Level::Gradual);
    leased.demand = w(340);
    for _ in 0..35 {
        leased.tick(WARM);
    }
    assert_eq!(leased.policy.last.asks.local, Level::None);
}

#[test]
fn leases_out_of_time_take_nothing_from_what_heat_holds() {
    let mut card = Card::new();
    card.policy.ledger.set_max_hold(Duration::ZERO);
    card.tick(HOT);
    assert!(!card.tick(HOT).overheld, "no lease, nothing overheld");
    card.asked = alert(Level::Emergency);
    let decision = card.tick(WARM);
    assert!(decision.overheld);
    assert_eq!(decision.state, State::Gradual);
}
