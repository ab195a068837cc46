use super::*;

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

fn beating(every: f64, until: f64) -> Chain {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    let mut now = 0.0;
    while now <= until {
        chain.heartbeat(at(now), Some(1000.0 + now));
        now += every;
    }
    chain
}

#[test]
fn before_the_first_heartbeat_no_chain_is_missed() {
    let chain = Chain::new(Expected::Auto, None, at(0.0));
    assert_eq!(chain.state(at(1e6)), ChainState::Standalone);
}

#[test]
fn a_promised_chain_is_missed_from_the_start() {
    let chain = Chain::new(Expected::Yes, None, at(0.0));
    assert_eq!(chain.state(at(1.0)), ChainState::Unknown);
    // The slowest pace is 200 s.
    assert_eq!(chain.state(at(259.0)), ChainState::Unknown);
    assert_eq!(chain.state(at(261.0)), ChainState::Down);
    assert!(chain.state(at(1.0)).is_fallback());
    for (timeout, within) in [(15, 60.0), (300, 300.0)] {
        let timeout = Some(Duration::from_secs(timeout));
        let chain = Chain::new(Expected::Yes, timeout, at(0.0));
        assert_eq!(chain.state(at(within - 1.0)), ChainState::Unknown);
        assert_eq!(chain.state(at(within + 1.0)), ChainState::Down);
    }
}

#[test]
fn no_pace_is_down_before_its_first_heartbeat() {
    for pace in [1.0, 60.0, 199.0] {
        let mut chain = Chain::new(Expected::Yes, None, at(0.0));
        assert_eq!(chain.state(at(pace)), ChainState::Unknown, "{pace}");
        chain.heartbeat(at(pace), Some(1000.0));
        assert_ne!(chain.state(at(pace + 1.0)), ChainState::Down, "{pace}");
    }
}

#[test]
fn silence_is_down_within_three_beats() {
    let chain = beating(10.0, 100.0);
    assert_eq!(chain.state(at(129.0)), ChainState::Ok);
    assert_eq!(chain.state(at(131.0)), ChainState::Down);
    assert_eq!(
        beating(1.0, 100.0).state(at(116.0)),
        ChainState::Down,
        "never under 15 s"
    );
}

#[test]
fn a_dead_prometheus_behind_a_living_alertmanager_is_stale() {
    let mut chain = beating(5.0, 100.0);
    for beat in 1..=4 {
        chain.heartbeat(at(100.0 + 4.0 * f64::from(beat)), Some(1100.0));
    }
    assert_eq!(chain.state(at(114.0)), ChainState::Ok);
    assert_eq!(chain.state(at(116.5)), ChainState::Stale);
    chain.heartbeat_resolved();
    assert_eq!(chain.state(at(116.9)), ChainState::Down);
}

#[test]
fn equal_eval_ts_in_a_healthy_pair_is_no_fault() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    // As measured: beats every 4 to 5 s, the evaluation time in 6 s steps.
    for (now, ts) in [
        (0.0, 0.0),
        (4.0, 0.0),
        (9.0, 6.0),
        (13.0, 12.0),
        (18.0, 12.0),
    ] {
        chain.heartbeat(at(now), Some(ts));
        assert_eq!(chain.state(at(now)), ChainState::Ok, "at {now}");
    }
}

#[test]
fn a_late_copy_does_not_undo_a_resolved() {
    let mut chain = beating(5.0, 100.0);
    chain.heartbeat_resolved();
    chain.heartbeat(at(101.0), Some(1100.0));
    assert_eq!(chain.state(at(101.0)), ChainState::Down);
    chain.heartbeat(at(106.0), Some(1106.0));
    assert_eq!(chain.state(at(106.0)), ChainState::Ok);
}

#[test]
fn a_heartbeat_without_eval_ts_proves_nothing() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    chain.heartbeat(at(0.0), None);
    assert_eq!(chain.state(at(1.0)), ChainState::Stale);
}

#[test]
fn an_evaluation_is_as_old_as_the_newest_makes_it() {
    let mut chain = Chain::new(Expected::Auto, Some(Duration::from_secs(15)), at(0.0));
    assert!(!chain.is_recent(at(0.0), 1000.0), "nothing to measure by");
    chain.heartbeat(at(10.0), Some(1000.0));
    assert!(chain.is_recent(at(25.0), 1000.0));
    assert!(!chain.is_recent(at(25.1), 1000.0));
    assert!(chain.is_recent(at(20.0), 995.0));
    assert!(!chain.is_recent(at(20.0), 994.0));
    assert!(!chain.is_recent(at(10.0), f64::MIN));
}

#[test]
fn a_configured_timeout_wins() {
    let mut chain = Chain::new(Expected::Yes, Some(Duration::from_secs(2)), at(0.0));
    chain.heartbeat(at(0.0), Some(1.0));
    assert_eq!(chain.state(at(2.0)), ChainState::Ok);
    assert_eq!(chain.state(at(2.1)), ChainState::Down);
}

#[test]
fn a_slower_pace_is_learnt_and_an_outage_is_not() {
    let mut chain = beating(5.0, 100.0);
    chain.heartbeat(at(200.0), Some(1200.0));
    assert_eq!(chain.state(at(216.0)), ChainState::Down, "an outage");
    for beat in 1..=10_u32 {
        let now = 200.0 + 60.0 * f64::from(beat);
        chain.heartbeat(at(now), Some(1000.0 + now));
    }
    assert_eq!(chain.state(at(859.0)), ChainState::Ok);
}

#[test]
fn three_states_are_a_promise_not_kept() {
    let fallback = ChainState::ALL.map(|state| (state.name(), state.is_fallback()));
    assert_eq!(
        fallback,
        [
            ("standalone", false),
            ("unknown", true),
            ("ok", false),
            ("stale", true),
            ("down", true)
        ]
    );
}

#[test]
fn the_last_heartbeat_and_the_last_advance_are_told_apart() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    assert_eq!((chain.last(), chain.eval_age(at(9.0))), (None, None));
    chain.heartbeat(at(3.0), Some(1.0));
    chain.heartbeat(at(7.0), Some(1.0));
    assert_eq!(chain.last(), Some(at(7.0)));
    assert_eq!(chain.eval_age(at(9.0)), Some(Duration::from_secs(6)));
}

/// The timeout after heartbeats with these gaps.
fn timeout_after(gaps: &[f64]) -> f64 {
    let mut now = 0.0;
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    chain.heartbeat(at(now), Some(now));
    for gap in gaps {
        now += gap;
        chain.heartbeat(at(now), Some(now));
    }
    chain.timeout().as_secs_f64()
}

#[test]
fn the_timeout_is_three_times_the_longest_gap_that_recurs() {
    for (gaps, timeout) in [
        // The first gap may be less than a whole one: until the second, nothing is known.
        (&[10.0][..], 600.0),
        (&[3.0, 10.0], 30.0),
        (&[10.0, 10.0, 10.0], 30.0),
        (&[10.0, 10.0, 500.0, 10.0, 10.0], 30.0),
        (&[10.0, 10.0, 10.0, 10.0, 400.0, 10.0, 500.0, 10.0], 30.0),
        // Two of each pair are one beat.
        (&[60.0, 0.3, 59.7, 0.3, 59.7, 0.3, 59.7, 0.3], 180.0),
        // Every third one is lost: that is a pace, too.
        (&[5.0, 10.0, 5.0, 10.0, 5.0, 10.0, 5.0, 10.0], 30.0),
        (&[1.0, 1.0, 1.0, 1.0, 1.0], 15.0),
        (&[200.0, 200.0, 200.0], 600.0),
        (&[300.0, 300.0, 300.0, 300.0], 600.0),
    ] {
        let got = timeout_after(gaps);
        assert!((got - timeout).abs() < 1.0, "{gaps:?}: {got}");
    }
}

#[test]
fn a_slow_resend_behind_a_fast_pull_is_no_dead_chain() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    for pull in 0..200 {
        let now = f64::from(pull) * 9.0;
        chain.heartbeat(at(now), Some((now / 60.0).floor() * 60.0));
        for later in [0.0, 4.5, 8.9] {
            assert_eq!(chain.state(at(now + later)), ChainState::Ok, "at {now}");
        }
    }
    assert!(chain.timeout() <= Duration::from_secs(190), "{chain:?}");
}

#[test]
fn a_clock_that_was_wrong_once_is_forgotten_within_two_timeouts() {
    for wrong in [86_400.0, 1e300, f64::INFINITY, f64::NAN] {
        let mut chain = beating(10.0, 100.0);
        chain.heartbeat(at(110.0), Some(1000.0 + wrong));
        let mut not_ok = 0.0;
        for beat in 12..60 {
            let now = f64::from(beat) * 10.0;
            chain.heartbeat(at(now), Some(1000.0 + now));
            if chain.state(at(now + 9.0)) != ChainState::Ok {
                not_ok += 10.0;
            }
        }
        assert!(not_ok <= 60.0, "{wrong}: {not_ok} s");
        assert!(chain.is_recent(at(590.0), 1580.0), "{wrong}");
    }
}

#[test]
fn repetitions_of_three_dead_evaluators_are_no_living_one() {
    let mut chain = beating(5.0, 100.0);
    for beat in 21..100 {
        let now = f64::from(beat) * 5.0;
        let left = [1100.0, 1050.0, 1075.0][usize::try_from(beat % 3).unwrap_or(0)];
        chain.heartbeat(at(now), Some(left));
        if now > 116.0 {
            assert_eq!(chain.state(at(now)), ChainState::Stale, "at {now}");
        }
    }
}

#[test]
fn one_of_two_replicas_that_ends_takes_no_chain_down() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    for beat in 0..40 {
        let now = f64::from(beat) * 5.0;
        chain.heartbeat_of(1, at(now), Some(1000.0 + now));
        chain.heartbeat_of(2, at(now), Some(1000.3 + now));
    }
    chain.resolved_of(2, at(196.0));
    assert_eq!(chain.state(at(196.0)), ChainState::Ok, "the other goes on");
    chain.resolved_of(1, at(197.0));
    assert_eq!(chain.state(at(197.0)), ChainState::Down);
}

#[test]
fn a_replica_that_stopped_with_a_wrong_clock_hides_no_other() {
    let mut chain = Chain::new(Expected::Auto, None, at(0.0));
    let mut not_ok = 0;
    for beat in 0..60 {
        let now = f64::from(beat) * 5.0;
        chain.heartbeat_of(1, at(now), Some(1000.0 + now));
        if beat > 20 {
            chain.heartbeat_of(2, at(now), Some(87_400.0));
        }
        not_ok += i32::from(chain.state(at(now + 4.9)) != ChainState::Ok);
    }
    assert!(not_ok <= 6, "{not_ok} beats");
}

fn words(chain: &Chain, seconds: f64) -> &'static str {
    chain.fault(at(seconds)).unwrap_or_default()
}

#[test]
fn down_after_stale_still_points_to_prometheus() {
    let mut resolved = beating(5.0, 100.0);
    resolved.heartbeat(at(105.0), Some(1100.0));
    assert_eq!(resolved.fault(at(105.0)), None);
    resolved.heartbeat_resolved();
    let mut repeated = beating(5.0, 100.0);
    for beat in 1..=5 {
        repeated.heartbeat(at(100.0 + 5.0 * f64::from(beat)), Some(1100.0));
    }
    assert_eq!(repeated.state(at(126.0)), ChainState::Stale);
    for pulls in [false, true] {
        for chain in [&resolved, &repeated] {
            let chain = chain.clone().pulling(pulls);
            assert_eq!(chain.state(at(150.0)), ChainState::Down);
            assert!(words(&chain, 150.0).contains("Look at Prometheus"));
        }
    }
}

#[test]
fn plain_silence_points_to_alertmanager_and_a_guard_that_pulls_has_no_route() {
    let mut chain = beating(5.0, 100.0);
    // Healthy pairs repeat one evaluation.
    chain.heartbeat(at(105.0), Some(1100.0));
    assert!(words(&chain, 130.0).contains("route for this node, the token"));
    let words = words(&chain.pulling(true), 130.0);
    assert!(words.contains("no pull brings a heartbeat") && !words.contains("token"));
}
