//! Without a temperature: a blink, a cap, an emergency in the dark, and sight again.

use super::*;

#[test]
fn a_failed_read_changes_nothing_and_says_nothing() {
    let mut card = Card::new();
    let before = card.tick(HOT);
    let blink = card.tick_blind();
    let same = Decision {
        transition: None,
        heat: None,
        doubt: blink.doubt,
        ..before
    };
    assert_eq!(blink, same);
}

#[test]
fn a_blind_guard_holds_the_cap_and_never_raises() {
    for (fallback, trigger) in [(false, Trigger::Local), (true, Trigger::Fallback)] {
        let mut card = Card::new();
        card.tick(COOL);
        card.fallback = fallback;
        card.tick_blind();
        card.tick_blind();
        let decision = card.tick_blind();
        assert_eq!(decision.state, State::Blind);
        assert_eq!(decision.transition, Some(Transition::Blinded));
        assert_eq!(decision.trigger, Some(trigger));
        assert_eq!(card.limit(), w(192), "the floor");
        assert_eq!(decision.targets.app, AppMode::Gradual);
        assert_eq!(card.tick_blind().transition, None, "once");
        card.reading.limit = Ok(w(150));
        card.claim.limit = None;
        card.tick_blind();
        assert_eq!(card.limit(), w(150), "a lower one stays");
    }
}

#[test]
fn sight_that_comes_back_begins_no_throttle() {
    let mut card = Card::new();
    card.tick(COOL);
    for _ in 0..5 {
        card.tick_blind();
    }
    for _ in 0..9 {
        assert_eq!(card.tick(COOL).state, State::Blind);
    }
    let decision = card.tick(COOL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Gradual, None)
    );
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
}

#[test]
fn a_critical_reading_while_blind_is_an_emergency_reported_once() {
    let mut card = Card::new();
    card.tick(COOL);
    for _ in 0..5 {
        card.tick_blind();
    }
    let decision = card.tick(CRITICAL);
    let begun = Transition::Throttled(Level::Emergency, Trigger::Local);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Blind, Some(begun))
    );
    assert_eq!(card.limit(), w(100), "at once, before it is trusted again");
    for _ in 0..8 {
        assert_eq!(card.tick(CRITICAL).transition, None, "once");
    }
    let decision = card.tick(CRITICAL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Emergency, None)
    );
}

#[test]
fn an_emergency_goes_on_in_the_dark_and_a_lease_can_ask_for_one() {
    let mut told = Card::new();
    told.tick(COOL);
    for _ in 0..5 {
        told.tick_blind();
    }
    told.asked = alert(Level::Emergency);
    let decision = told.tick_blind();
    assert_eq!((decision.level, told.limit()), (Level::Emergency, w(100)));
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
    assert_eq!(decision.targets.app, AppMode::Emergency);
    assert!(
        told.policy.regulator.is_exhausted(),
        "where sight goes on from"
    );
    let mut own = Card::new();
    own.tick(CRITICAL);
    for _ in 0..5 {
        assert_eq!(own.tick_blind().level, Level::Emergency);
    }
}

#[test]
fn a_card_that_never_offered_a_temperature_is_left_alone_and_unguarded() {
    let mut card = Card::new();
    card.asked = alert(Level::Emergency);
    card.reading.core = Err(Missing::NotSupported);
    for _ in 0..20 {
        let decision = card.look();
        assert_eq!(decision.targets, Targets::default());
        assert_eq!(decision.state, State::Unguarded);
        assert_eq!(decision.unguarded, Some(Unguarded::NoTemperature));
    }
}

#[test]
fn a_sensor_that_fails_from_the_first_read_on_makes_blind_and_a_lease_is_obeyed() {
    let mut card = Card::new();
    for _ in 0..3 {
        card.tick_blind();
    }
    assert_eq!(card.tick_blind().state, State::Blind);
    assert_eq!(card.limit(), w(192), "the cap");
    card.asked = alert(Level::Emergency);
    let decision = card.tick_blind();
    assert_eq!((decision.level, card.limit()), (Level::Emergency, w(100)));
}
