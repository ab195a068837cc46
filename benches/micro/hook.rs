//! What a delivery of Alertmanager's costs: the router, the gate, parsing, the lease table.

#![allow(dead_code, reason = "the tests use more of it")]

#[path = "../../tests/http/hook/bench.rs"]
mod bench;

use std::hint::black_box;

use bench::{Bench, GPU_0, delivery, hook_request, labelled, send};
use criterion::{BenchmarkId, Criterion};

/// As many alerts of one GPU, each another one.
fn body(alerts: usize) -> String {
    let alert = |number: usize| {
        let number = number.to_string();
        let labels = [
            ("alertname", "GpuTemperatureHigh"),
            ("guard_action", "gradual"),
            ("instance", "n1.example:10835"),
            ("number", number.as_str()),
            ("uuid", GPU_0),
        ];
        labelled("firing", &labels)
    };
    delivery(&(0..alerts).map(alert).collect::<Vec<_>>()).to_string()
}

pub(super) fn measure(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let mut group = criterion.benchmark_group("hook");
    for alerts in [1, 100, 500] {
        let bench = Bench::new();
        let body = body(alerts);
        let deliver = || runtime.block_on(send(&bench.router, hook_request(body.clone())));
        assert_eq!(deliver().code, 200, "measured is a delivery that is taken");
        let id = BenchmarkId::from_parameter(format!("{alerts} alerts"));
        group.bench_function(id, |bencher| bencher.iter(|| black_box(deliver())));
    }
    group.finish();
}
