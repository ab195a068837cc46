//! Other settings and another card under a throttle.

use super::*;
use crate::device::Knob;
use crate::policy::types::settings::PolicyName;

#[test]
fn a_reopened_card_and_other_settings_have_other_trips_and_limits() {
    let mut card = Card::new();
    let mut other = facts();
    other.thresholds.gpu_max = Some(Celsius::new(95.0));
    other.power = other.power.map(|power| PowerConstraints {
        min: w(120),
        ..power
    });
    card.policy.recalibrate(&other);
    card.facts = other;
    assert_eq!(card.tick(CRITICAL).state, State::Normal);
    assert_eq!(card.policy.trips().core.critical, Celsius::new(95.0));
    card.tick(95.0);
    assert_eq!(card.limit(), w(120));
    let settings = Settings {
        recovery_delay: Duration::from_secs(5),
        max_hold: Duration::from_secs(9),
        ..Settings::default()
    };
    card.facts = facts();
    card.policy.reconfigure(settings, &facts());
    assert_eq!(card.policy.trips().core.critical, Celsius::new(85.0));
    card.tick(84.0);
    for _ in 0..5 {
        assert_eq!(card.tick(WARM).state, State::Emergency, "it stays held");
    }
    assert_eq!(card.tick(WARM).state, State::Gradual);
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

#[test]
fn another_regulator_by_a_reload_goes_on_from_what_is_set() {
    for heat in [CRITICAL, HOT] {
        let mut card = Card::new();
        for _ in 0..20 {
            card.tick(heat);
        }
        let held = card.limit();
        assert!(held < w(400), "{heat}");
        let ladder = settings(|it| it.regulator = PolicyName::Ladder);
        card.policy.reconfigure(ladder, &facts());
        for _ in 0..100 {
            let before = card.limit();
            card.tick(WARM);
            let after = card.limit();
            assert!(
                after < w(400) || before >= w(300),
                "{heat}: {before} to {after} in one write"
            );
        }
        card.until(COOL, State::Normal);
        assert_eq!(card.limit(), w(400));
    }
}

#[test]
fn a_limit_that_a_reload_takes_from_the_plan_is_given_back_when_safe() {
    let mut card = Card::new();
    for _ in 0..20 {
        card.tick(HOT);
    }
    let held = card.limit();
    assert!(held < w(400));
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    for _ in 0..120 {
        card.tick(76.9);
        assert!(card.limit() <= held, "{}", card.limit());
    }
    card.until(COOL, State::Normal);
    assert_eq!(card.limit(), w(400));
}

#[test]
fn a_limit_that_comes_back_into_the_plan_takes_no_clock_lock_off_at_once() {
    let mut card = Card::new();
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    for _ in 0..60 {
        card.tick(HOT);
    }
    assert!(card.claim.locks[ClockDomain::Gpu]);
    card.policy.reconfigure(Settings::default(), &facts());
    let decision = card.tick(76.9);
    let lock = decision.targets.locks[ClockDomain::Gpu];
    assert!(lock.is_some() || card.limit() < w(400), "{decision:?}");
}

#[test]
fn a_ladder_without_a_limit_keeps_the_lock_of_a_blind_guard() {
    let mut card = Card::new();
    card.facts.power = None;
    let ladder = settings(|it| it.regulator = PolicyName::Ladder);
    card.policy = Policy::new(ladder, &card.facts);
    card.tick(WARM);
    for _ in 0..5 {
        card.tick_blind();
    }
    let decision = card.until(76.0, State::Gradual);
    let lock = decision.targets.locks[ClockDomain::Gpu];
    assert!(
        lock.is_some_and(|lock| lock.max <= Megahertz::new(1500)),
        "{lock:?}"
    );
}

#[test]
fn a_limit_outside_the_plan_does_not_stay_for_ever_on_a_card_that_is_steady_under_alert() {
    let mut card = Card::new();
    for _ in 0..20 {
        card.tick(HOT);
    }
    assert!(card.limit() < w(400));
    let without = settings(|it| it.enabled[Knob::PowerLimit] = false);
    card.policy.reconfigure(without, &facts());
    card.until(WARM, State::Normal);
    assert_eq!(card.limit(), w(400));
}
