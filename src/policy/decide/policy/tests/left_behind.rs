//! What a dead guard left, and what was released from outside.

use super::*;

#[test]
fn the_throttle_of_a_previous_guard_continues_and_is_given_back() {
    let mut card = Card::new();
    card.claim.writing(w(400), w(250));
    card.claim.locks[ClockDomain::Gpu] = true;
    card.reading.limit = Ok(w(250));
    card.policy
        .adopt(at(0), &card.claim, &ByClock::default(), &[]);
    let left = card.policy.last;
    assert_eq!((left.state, left.level), (State::Gradual, Level::Gradual));
    assert_eq!(left.targets.limit, Some(w(250)));
    assert_eq!(
        left.targets.locks[ClockDomain::Gpu],
        Some(lock(1000)),
        "which isn't known"
    );
    assert_eq!(left.targets.locks[ClockDomain::Memory], None);
    let decision = card.tick_blind();
    assert_eq!(decision.state, State::Gradual, "a blink, for it has seen");
    let decision = card.tick(COOL);
    assert_eq!(
        (decision.state, decision.transition),
        (State::Gradual, None)
    );
    assert_eq!(decision.trigger, None, "what caused it isn't known");
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
    assert!(card.claim.is_empty());
}

#[test]
fn after_a_release_from_outside_it_begins_afresh() {
    let mut card = capped();
    card.asked = Asked::default();
    card.claim = Claim::default();
    card.reading.limit = Ok(w(400));
    card.policy.released(at(card.second));
    let decision = card.tick(COOL);
    assert_eq!((decision.state, decision.transition), (State::Normal, None));
    assert_eq!(decision.trigger, None);
    assert!(card.policy.regulator.is_released());
}

#[test]
fn what_a_dead_guard_left_is_not_charged_to_leases() {
    for max_hold in [Duration::ZERO, Settings::default().max_hold] {
        let mut card = Card::new();
        card.policy.ledger.set_max_hold(max_hold);
        card.claim.writing(w(400), w(250));
        card.reading.limit = Ok(w(250));
        card.policy
            .adopt(at(0), &card.claim, &ByClock::default(), &[]);
        // After a worker's panic, for example: the clock has run for long.
        card.second = 7200;
        for _ in 0..10 {
            let decision = card.tick(WARM);
            assert!(!decision.overheld, "{max_hold:?}");
            assert_eq!(decision.state, State::Gradual, "{max_hold:?}");
        }
        assert_eq!(card.policy.ledger.spent(), Duration::ZERO, "{max_hold:?}");
    }
}

#[test]
fn a_lease_beside_what_a_dead_guard_left_is_charged_and_ends() {
    let mut card = Card::new();
    card.claim.writing(w(400), w(340));
    card.reading.limit = Ok(w(340));
    card.policy
        .adopt(at(0), &card.claim, &ByClock::default(), &[]);
    card.asked = alert(Level::Gradual);
    let overheld = (0..3600).any(|_| card.tick(WARM).overheld);
    assert!(overheld);
}

#[test]
fn what_a_dead_guard_left_is_there_for_what_asks_for_it_now() {
    let asked = |alert, manual| Asked { alert, manual };
    let (none, gradual) = (Level::None, Level::Gradual);
    for (asked, margin, cause) in [
        (asked(none, none), COOL, None),
        (asked(none, gradual), COOL, Some(Trigger::Manual)),
        (asked(gradual, none), COOL, Some(Trigger::Alert)),
        (asked(gradual, none), HOT, Some(Trigger::Local)),
        (asked(none, none), HOT, Some(Trigger::Local)),
    ] {
        let mut card = Card::new();
        card.claim.writing(w(400), w(250));
        card.reading.limit = Ok(w(250));
        card.policy
            .adopt(at(0), &card.claim, &ByClock::default(), &[]);
        card.asked = asked;
        let decision = card.tick(margin);
        assert_eq!(decision.state, State::Gradual);
        assert_eq!(decision.trigger, cause, "{asked:?} {margin:?}");
        // It is given back as before.
        card.asked = Asked::default();
        card.until(COOL, State::Normal);
        assert_eq!(card.policy.last.trigger, None);
        assert_eq!(card.tick(HOT).trigger, Some(Trigger::Local), "of its own");
    }
}
