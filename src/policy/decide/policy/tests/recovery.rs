//! Giving back: when it is complete, and what interrupts it.

use super::*;

#[test]
fn a_recovery_is_complete_only_when_the_applications_told_so_are_well() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..100 {
        assert_eq!(card.tick(COOL).state, State::Recovering);
    }
    assert_eq!(card.limit(), w(400), "all else is given back");
    let told = card.tick(COOL).targets;
    assert_eq!(told, Targets::default());
    card.apps_well = true;
    assert_eq!(card.tick(COOL).state, State::Normal);
}

#[test]
fn applications_are_not_well_on_the_tick_that_tells_them() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    card.until(COOL, State::Recovering);
    let told = (0..60).any(|_| {
        let decision = card.tick(COOL);
        assert_eq!(decision.state, State::Recovering);
        decision.targets == Targets::default()
    });
    assert!(told);
    assert_eq!(card.tick(COOL).state, State::Normal);
}

#[test]
fn heat_in_a_recovery_throttles_again_and_a_new_recovery_follows() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..60 {
        card.tick(COOL);
    }
    card.asked = alert(Level::Gradual);
    let decision = card.tick(COOL);
    assert_eq!((decision.state, card.limit()), (State::Gradual, w(340)));
    card.asked = Asked::default();
    card.until(COOL, State::Recovering);
    assert!(!card.policy.given_back || card.limit() == w(400));
}

#[test]
fn a_cap_of_blindness_within_a_recovery_is_given_back_in_steps() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.asked = Asked::default();
    card.apps_well = false;
    card.until(COOL, State::Recovering);
    for _ in 0..100 {
        card.tick(COOL);
    }
    assert_eq!(card.limit(), w(400), "all but the applications");
    for _ in 0..3 {
        card.tick_blind();
    }
    assert_eq!(card.limit(), w(192));
    card.apps_well = true;
    card.paused = true;
    card.until(COOL, State::Recovering);
    assert!(card.limit() < w(400), "not all at once");
}
