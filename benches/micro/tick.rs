//! What one tick of one GPU costs: reading, decision, writes, events; the card is simulated in
//! process, and its own arithmetic (measured alone beside it) is no part of a guard's cost.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use thermal_guard::policy::Settings;
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::node::{COOL, Node};
use thermal_guard::sim::profile;
use thermal_guard::units::Celsius;

/// An inlet at which an A100 80GB is regulated.
const HOT: Celsius = Celsius::new(42.0);

/// From the first heat to regulation at rest.
const SETTLED_SECONDS: u64 = 600;

/// At full load, and settled.
fn node(gpus: usize, inlet: Celsius) -> Node {
    let card = profile::named("a100-80gb").expect("a known card");
    let mut node = Node::new(&vec![card; gpus], &Settings::default());
    for gpu in 0..gpus {
        node.set(gpu, Conditions::full_load(inlet));
    }
    node.run(SETTLED_SECONDS);
    node
}

pub(super) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick of a GPU");
    for (name, gpus, inlet) in [
        ("cool", 1, COOL),
        ("hot", 1, HOT),
        ("hot, one of 16", 16, HOT),
    ] {
        group.throughput(Throughput::Elements(gpus as u64));
        let mut node = node(gpus, inlet);
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| black_box(node.step()));
        });
    }
    group.throughput(Throughput::Elements(1));
    let mut alone = node(1, HOT);
    group.bench_function(BenchmarkId::from_parameter("the plant alone"), |bencher| {
        bencher.iter(|| black_box(alone.step_unguarded()));
    });
    group.finish();
}
