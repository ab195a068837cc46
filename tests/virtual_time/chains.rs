//! The chain over random paces, losses and clock steps, in virtual time: a healthy one is `ok` all
//! the time, a dead one is found out within its timeout, a wrong clock costs two of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::policy::{Chain, ChainState};
use thermal_guard::units::Moment;

use crate::common::cases::cases;

/// A node's chain: how often the evaluation time moves, how often the guard hears of it.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Prometheus resends so often.
    moves: f64,
    /// Alertmanager notifies, or the guard pulls, so often.
    arrives: f64,
    /// Between the two.
    phase: f64,
    /// Each gap is up to this share longer.
    jitter: f64,
}

impl Pair {
    fn slower(&self) -> f64 {
        self.moves.max(self.arrives)
    }

    /// The longest gap there is to see, without losses: an advance is seen with the first arrival
    /// after it, and an arrival shows the last advance before it.
    fn gap(&self) -> f64 {
        (self.moves + self.arrives) * (1.0 + self.jitter)
    }

    /// The arrivals: when, and with which time of evaluation.
    fn beats(&self, end: f64, wobble: &[f64]) -> Vec<(f64, f64)> {
        let moves = times(
            self.moves,
            self.phase - self.moves,
            end,
            self.jitter,
            wobble,
        );
        let arrivals = times(self.arrives, 0.0, end, self.jitter, wobble);
        arrivals
            .into_iter()
            .map(|now| {
                let so_far = moves.partition_point(|at| *at <= now);
                (
                    now,
                    moves[..so_far]
                        .last()
                        .copied()
                        .unwrap_or(self.phase - self.moves),
                )
            })
            .collect()
    }
}

fn times(every: f64, from: f64, end: f64, jitter: f64, wobble: &[f64]) -> Vec<f64> {
    let mut times = Vec::new();
    let mut now = from;
    for by in wobble.iter().cycle() {
        if now > end {
            break;
        }
        times.push(now);
        now += every * (1.0 + jitter * by);
    }
    times
}

fn pair() -> impl Strategy<Value = Pair> {
    (2.0..180.0_f64, 2.0..180.0_f64, 0.0..1.0_f64, 0.0..0.1_f64).prop_map(
        |(moves, arrives, phase, jitter)| Pair {
            moves,
            arrives,
            phase: phase * moves,
            jitter,
        },
    )
}

fn wobble() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(0.0..1.0_f64, 7..23)
}

fn at(seconds: f64) -> Moment {
    Moment::from_secs_f64(seconds)
}

const START: f64 = 1e4;
const CLOCK: f64 = 1.7e9;

fn hear(chain: &mut Chain, (now, evaluated): (f64, f64), clock: f64) {
    chain.heartbeat(at(START + now), Some(CLOCK + evaluated + clock));
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..cases(300)
    }
}

proptest! {
    #![proptest_config(config())]

    /// From the first heartbeat on, whatever the two paces, and though one of five is lost. With a loss
    /// only while the last advance is no older than three times the slower pace: where two nearly equal
    /// paces hide an advance and the next heartbeat is lost, it may be older, and that is `stale`.
    #[test]
    fn a_healthy_chain_is_ok_all_the_time(pair in pair(), wobble in wobble(), lost in 0..6_usize) {
        let mut chain = Chain::new(Expected::Auto, None, at(START));
        let beats = pair.beats(pair.slower() * 40.0, &wobble);
        let loses = lost < 5 && pair.arrives <= 100.0;
        let heard: Vec<_> = beats
            .iter()
            .enumerate()
            .filter(|(index, _)| !loses || *index == 0 || index % 5 != lost)
            .map(|(_, beat)| *beat)
            .collect();
        let mut advanced = heard[0];
        for both in heard.windows(2) {
            hear(&mut chain, both[0], 0.0);
            if both[0].1 > advanced.1 {
                advanced = both[0];
            }
            for now in [both[0].0, both[1].0 - 1e-3] {
                let stale_by_rule = loses && now - advanced.0 > 3.0 * pair.slower();
                let state = chain.state(at(START + now));
                prop_assert!(state == ChainState::Ok || stale_by_rule, "{:?} at {} of {:?}", state, now, pair);
            }
        }
    }

    /// The evaluation stops, or everything does.
    #[test]
    fn a_dead_chain_is_found_out_within_its_timeout(pair in pair(), wobble in wobble(), repeats in any::<bool>()) {
        let mut chain = Chain::new(Expected::Auto, None, at(START));
        let beats = pair.beats(pair.slower() * 40.0, &wobble);
        for beat in &beats {
            hear(&mut chain, *beat, 0.0);
        }
        let timeout = chain.timeout().as_secs_f64();
        // Three times the slower pace: no more than that of the longest gap, no less than of the pace.
        prop_assert!(timeout <= (3.0 * pair.gap()).max(15.0) + 1.0, "{} of {:?}", timeout, pair);
        prop_assert!(timeout >= (3.0 * pair.slower()).max(15.0) - 1.0, "{} of {:?}", timeout, pair);
        let last = *beats.last().unwrap();
        let mut now = last.0;
        while repeats && now < last.0 + timeout + 10.0 * pair.arrives {
            now += pair.arrives;
            hear(&mut chain, (now, last.1), 0.0);
            if now > last.0 + timeout {
                prop_assert_eq!(chain.state(at(START + now)), ChainState::Stale);
            }
        }
        let end = now.max(last.0) + timeout + 0.1;
        prop_assert_eq!(chain.state(at(START + end)), ChainState::Down);
        // It comes back with its first advance.
        hear(&mut chain, (end, end), 0.0);
        prop_assert_eq!(chain.state(at(START + end)), ChainState::Ok);
    }

    /// Wrong for some beats, by any amount either way; or from some beat on.
    #[test]
    fn a_wrong_clock_costs_two_timeouts(
        pair in pair(),
        wobble in wobble(),
        step in prop_oneof![-1e6..1e6_f64, Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(-1e300)],
        from in 10..15_usize,
        lasts in 1..40_usize,
    ) {
        let mut chain = Chain::new(Expected::Auto, None, at(START));
        let beats = pair.beats(pair.slower() * 60.0, &wobble);
        let mut not_ok = 0.0;
        let mut timeout: f64 = 0.0;
        let mut evaluations = 0;
        let look = pair.slower() / 20.0;
        for both in beats.windows(2) {
            evaluations += usize::from(both[0].1 < both[1].1);
            let wrong = (from..from + lasts).contains(&evaluations);
            hear(&mut chain, both[0], if wrong { step } else { 0.0 });
            if evaluations < from {
                timeout = chain.timeout().as_secs_f64();
                continue;
            }
            let mut now = both[0].0;
            while now < both[1].0 {
                if chain.state(at(START + now)) != ChainState::Ok {
                    not_ok += look.min(both[1].0 - now);
                }
                now += look;
            }
        }
        // Numbers that aren't times prove nothing as long as they come.
        let lost = if step.abs() < 1e9 { 0.0 } else {
            lasts as f64 * pair.gap()
        };
        // Both steps of the clock, there and back.
        prop_assert!(not_ok <= 2.0 * 2.0 * timeout + lost + look, "{} s of {:?}, timeout {}", not_ok, pair, timeout);
        if evaluations > from + lasts + 8 {
            let (now, evaluated) = beats[beats.len() - 2];
            prop_assert_eq!(chain.state(at(START + now)), ChainState::Ok);
            prop_assert!(chain.is_recent(at(START + now), CLOCK + evaluated));
        }
    }
}
