//! What one decision costs, in a cool room (nothing to do), a hot one (the governor regulates) and
//! with the ladder instead. The readings are those of a simulated card under a real worker, so the
//! policy is in the states that it is in for most of its life.

use std::hint::black_box;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use thermal_guard::guard::Tick;
use thermal_guard::policy::{Asked, Observation, Policy, PolicyName, Settings};
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::node::{COOL, Node};
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Moment};

/// Ten minutes: from the first heat to regulation at rest.
const TICKS: usize = 600;

/// An inlet at which an A100 80GB keeps about three quarters of its power.
const HOT: Celsius = Celsius::new(42.0);

fn story(settings: &Settings, inlet: Celsius) -> Vec<Tick> {
    let card = profile::named("a100-80gb").expect("a known card");
    let mut node = Node::new(&[card], settings);
    node.set(0, Conditions::full_load(inlet));
    (0..TICKS)
        .map(|_| node.step().pop().expect("one card"))
        .collect()
}

/// The policy once more over what it saw.
fn replay(mut policy: Policy, ticks: &[Tick]) {
    for tick in ticks {
        let seen = Observation {
            reading: &tick.reading,
            facts: &tick.facts,
            open: true,
            locked_out: false,
            observes: false,
            has_app: false,
            writes: &tick.outcomes.writes,
            extra_sensors: &[],
            woken: false,
            claim: &tick.claim,
            confirmed: true,
            set_lately: false,
            asked: Asked::default(),
            lease_clock: tick.at,
            paused: false,
            fallback: false,
            apps_well: true,
        };
        black_box(policy.decide(tick.reading.at, black_box(&seen)));
    }
}

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    group.throughput(Throughput::Elements(TICKS as u64));
    for (name, regulator, inlet) in [
        ("cool", PolicyName::Governor, COOL),
        ("hot, governor", PolicyName::Governor, HOT),
        ("hot, ladder", PolicyName::Ladder, HOT),
    ] {
        let settings = Settings {
            regulator,
            ..Settings::default()
        };
        let ticks = story(&settings, inlet);
        let first = &ticks[0];
        let policy = Policy::new(settings, &first.facts);
        assert!(first.reading.at > Moment::START);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_batched(
                || policy.clone(),
                |policy| replay(policy, &ticks),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}
