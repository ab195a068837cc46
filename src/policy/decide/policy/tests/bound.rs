//! What binds a card, and what is not loosened while it is hot.

use super::*;
use crate::policy::LimitClaim;
use crate::policy::types::targets::slower;

#[test]
fn a_lock_or_a_limit_that_the_draw_leans_on_binds() {
    let ours = |original, next| LimitClaim {
        original: w(original),
        previous: w(original),
        next: w(next),
    };
    for (limit, draw, gpu_clock, memory_clock, binds) in [
        (None, 300, false, false, false),
        (None, 300, true, false, true),
        (None, 300, false, true, true),
        (Some(ours(400, 300)), 285, false, false, true),
        (Some(ours(400, 300)), 284, false, false, false),
        (Some(ours(300, 300)), 300, false, false, false),
        (Some(ours(200, 200)), 300, false, false, false),
    ] {
        let mut card = Card::new();
        card.reading.limit = Ok(w(300));
        card.reading.draw = Ok(w(draw));
        let claim = Claim {
            limit,
            locks: ByClock::only(ClockDomain::Gpu, gpu_clock)
                .with(ClockDomain::Memory, memory_clock),
            ..Claim::default()
        };
        let seen = Observation {
            reading: &card.reading,
            facts: &facts(),
            open: true,
            locked_out: false,
            observes: false,
            has_app: false,
            writes: &card.writes,
            extra_sensors: &[],
            woken: false,
            claim: &claim,
            confirmed: true,
            set_lately: false,
            asked: Asked::default(),
            lease_clock: Moment::START,
            paused: false,
            fallback: false,
            apps_well: true,
        };
        assert_eq!(Policy::binds(&seen), binds, "{claim:?}, {draw} W");
    }
}

#[test]
fn nothing_is_raised_at_or_above_alert_and_everything_stays_in_range() {
    let mut card = capped();
    card.asked = Asked::default();
    for _ in 0..200 {
        card.tick(HOT);
        assert_eq!(card.limit(), w(100));
        assert!(card.claim.locks[ClockDomain::Gpu]);
    }
    let mut low = Card::new();
    low.reading.limit = Ok(w(150));
    low.asked = alert(Level::Gradual);
    for _ in 0..50 {
        low.tick(COOL);
        assert_eq!(low.limit(), w(150), "a ceiling of 340 is over the original");
    }
}

#[test]
fn a_lock_on_the_card_is_not_loosened_while_hot() {
    let mut card = capped();
    card.policy.last.targets.locks[ClockDomain::Gpu] = Some(lock(900));
    card.policy.last.targets.locks[ClockDomain::Memory] = Some(lock(800));
    card.claim.locks[ClockDomain::Memory] = true;
    let decision = card.tick(HOT);
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(900)));
    assert_eq!(decision.targets.locks[ClockDomain::Memory], Some(lock(800)));
    let decision = card.tick(70.0);
    assert_eq!(decision.targets.locks[ClockDomain::Gpu], Some(lock(1000)));
}

#[test]
fn a_lock_that_is_given_back_in_vain_is_not_loosened_when_it_is_hot_again() {
    let mut card = capped();
    card.policy.last.targets.locks[ClockDomain::Gpu] = None;
    let decision = card.tick(HOT);
    assert_eq!(
        decision.targets.locks[ClockDomain::Gpu],
        Some(lock(1000)),
        "the slowest"
    );
}

#[test]
fn of_two_targets_each_the_one_that_slows_more() {
    let a = Targets {
        limit: Some(w(300)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000))),
        app: AppMode::Normal,
        ..Targets::default()
    };
    let b = Targets {
        limit: Some(w(200)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1500)))
            .with(ClockDomain::Memory, Some(lock(800))),
        fans: FanTarget::Full,
        app: AppMode::Normal,
    };
    let both = Targets {
        limit: Some(w(200)),
        locks: ByClock::only(ClockDomain::Gpu, Some(lock(1000)))
            .with(ClockDomain::Memory, Some(lock(800))),
        fans: FanTarget::Full,
        app: AppMode::Gradual,
    };
    assert_eq!(a.colder(b), both);
    assert_eq!(b.colder(a), both);
    assert_eq!(slower(None, None), None);
}
