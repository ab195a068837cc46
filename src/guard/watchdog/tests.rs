//! Loops of any poll interval, in virtual time.

use proptest::prelude::*;

use super::*;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// When a loop comes by until `end`, that rests `period` after ticks of no length.
fn visits(period: Duration, every: Duration, end: Moment) -> Vec<Moment> {
    let mut now = Moment::START;
    let mut due = now;
    let mut visits = Vec::new();
    while now < end {
        if now >= due {
            due = now + period;
        }
        visits.push(now);
        now = rests_until(now, due, Some(every));
    }
    visits
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(20),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The watchdog's deadline is never half over between two visits, and no tick is missed for them.
    #[test]
    fn a_loop_of_any_poll_interval_comes_by_in_time_and_is_never_late(
        period in 0.1_f64..=10.0,
        deadline in 0.2_f64..=30.0,
    ) {
        let (period, deadline) = (seconds(period), seconds(deadline));
        let every = deadline / REPORTS;
        let end = Moment::START + period * 5 + deadline * 3;
        let visits = visits(period, every, end);
        for pair in visits.windows(2) {
            let gap = pair[1].since(pair[0]);
            prop_assert!(!gap.is_zero() && gap <= every, "{gap:?}");
        }
        // Each tick is a visit: the first, and every `period` after it.
        let ticks = (1..5).map(|tick| Moment::START + period * tick);
        for tick in ticks {
            prop_assert!(visits.contains(&tick), "{tick:?} of {visits:?}");
        }
    }
}

#[test]
fn without_a_watchdog_a_loop_rests_until_it_is_due() {
    let due = Moment::START + seconds(10.0);
    assert_eq!(rests_until(Moment::START, due, None), due);
}
