use super::*;

const TICK: Duration = Duration::from_secs(1);

#[test]
fn no_hour_holds_more_than_allowed() {
    let max = Duration::from_secs(30 * 60);
    let mut ledger = LeaseBudget::new(max);
    let mut held = Vec::new();
    for second in 0..4 * 3600 {
        let now = Moment::from_start(TICK * second);
        ledger.charge(now, held.last().copied().unwrap_or(false));
        held.push(ledger.permits(TICK));
    }
    let mut seconds = 0;
    for (now, is_held) in held.iter().enumerate() {
        seconds += u32::from(*is_held);
        seconds -= u32::from(now >= 3600 && held[now - 3600]);
        assert!(seconds <= 1800, "{seconds} in the hour until {now}");
    }
    assert!(
        held[2 * 3600..].iter().any(|&held| held),
        "the budget comes back"
    );
}

/// A guard's first tick lasts no time, and yet held the GPU for one tick.
#[test]
fn a_budget_of_nothing_permits_nothing_not_even_on_the_first_tick() {
    let mut ledger = LeaseBudget::new(Duration::ZERO);
    assert!(!ledger.permits(Duration::ZERO));
}

/// A ledger of a minute, of which so much is spent.
fn spent(seconds: u64) -> LeaseBudget {
    let mut ledger = LeaseBudget::new(Duration::from_secs(60));
    ledger.minutes[0] = TICK * u32::try_from(seconds).expect("small");
    ledger
}

#[test]
fn the_budget_may_be_spent_but_for_what_giving_back_takes() {
    // Of a minute, half is for the steps of a recovery, which hold the GPU as well.
    assert!(spent(29).permits(TICK));
    assert!(!spent(30).permits(TICK));
    assert!(!spent(28).permits(3 * TICK), "not beyond within the step");
}

#[test]
fn the_rest_of_the_budget_may_still_be_spent() {
    assert_eq!(spent(0).left(), 30 * TICK);
    assert_eq!(spent(29).left(), TICK);
    assert_eq!(
        spent(50).left(),
        Duration::ZERO,
        "and never less than nothing"
    );
    let mut refused = spent(31);
    assert!(!refused.permits(TICK));
    refused.minutes[0] = TICK * 29;
    assert!(!refused.permits(3 * TICK));
    assert_eq!(
        refused.left(),
        Duration::ZERO,
        "nothing, as long as it is refused"
    );
}

/// The same of ten minutes.
fn spent_of_ten_minutes(seconds: u32) -> LeaseBudget {
    let mut ledger = LeaseBudget::new(Duration::from_secs(600));
    ledger.minutes[0] = TICK * seconds;
    ledger
}

#[test]
fn once_refused_half_of_the_budget_must_be_back() {
    let mut ledger = spent_of_ten_minutes(600);
    assert!(!ledger.permits(TICK));
    ledger.minutes[0] = TICK * 301;
    assert!(!ledger.permits(TICK));
    ledger.minutes[0] = TICK * 300;
    assert!(ledger.permits(TICK));
    ledger.minutes[0] = TICK * 301;
    assert!(ledger.permits(TICK), "refused no more");
}

#[test]
fn another_budget_holds_from_the_next_look_on() {
    let mut ledger = spent(60);
    ledger.set_max_hold(TICK * 120);
    assert!(ledger.permits(TICK));
}

#[test]
fn only_held_time_is_charged_and_after_an_hour_it_is_forgotten() {
    let mut ledger = LeaseBudget::new(Duration::from_secs(1800));
    let at = |seconds: u64| Moment::from_start(Duration::from_secs(seconds));
    ledger.charge(at(100), true);
    assert_eq!(ledger.spent(), Duration::ZERO, "since when isn't known");
    ledger.charge(at(107), true);
    ledger.charge(at(200), false);
    assert_eq!(ledger.spent(), 7 * TICK);
    ledger.charge(at(107 + 3600), false);
    assert_eq!(ledger.spent(), 7 * TICK, "an hour is not over");
    ledger.charge(at(120 + 3720), false);
    assert_eq!(ledger.spent(), Duration::ZERO);
}

#[test]
fn what_is_left_is_told_as_soon_as_it_is_back() {
    let mut budget = LeaseBudget::new(Duration::from_secs(60));
    let at = |second| Moment::from_start(TICK * second);
    budget.charge(at(0), false);
    budget.charge(at(60), true);
    assert!(!budget.permits(Duration::from_secs(1)));
    assert_eq!(budget.left(), Duration::ZERO);
    budget.charge(at(7200), false);
    assert_eq!(budget.left(), Duration::from_secs(30));
}
