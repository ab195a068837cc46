//! What the small parts cost, each for itself and without a driver: `make bench-micro`. The medians
//! go to `docs/benchmarks.md`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark: without its card or its file there is nothing to measure"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod decision;
mod disk;
mod exposition;
mod hook;
mod medians;
#[path = "../page.rs"]
mod page;
mod tick;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    if page::is_written() {
        medians::forget();
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .output_directory(medians::DIRECTORY.as_ref())
        .configure_from_args();
    decision::measure(&mut criterion);
    tick::measure(&mut criterion);
    exposition::measure(&mut criterion);
    hook::measure(&mut criterion);
    disk::measure(&mut criterion);
    criterion.final_summary();
    page::publish("micro", &medians::table());
}
