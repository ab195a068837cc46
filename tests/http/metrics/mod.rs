//! `/metrics`: the golden text of a made-up node, and the promises of the contract about it.
#![expect(clippy::unwrap_used, reason = "test code fails by panicking")]

mod contract;
mod golden;
mod scrape;
mod series;
mod text;

use std::sync::Arc;
use std::time::Duration;

use thermal_guard::guard::Tick;
use thermal_guard::units::Moment;
use thermal_guard::web::metrics::{self, Collect, Format, render};
use thermal_guard::web::snapshot::{GpuView, Snapshot};

use crate::common::fleet;

/// All but the process's own, which no golden file can know.
const STEADY: Collect = Collect {
    process: false,
    ..Collect::ALL
};

fn classic(snapshot: Snapshot) -> String {
    render(
        String::new(),
        snapshot,
        &fleet::counters(),
        STEADY,
        Format::Classic,
    )
    .unwrap()
}

fn open(snapshot: Snapshot) -> String {
    render(
        String::new(),
        snapshot,
        &fleet::counters(),
        STEADY,
        Format::OpenMetrics,
    )
    .unwrap()
}

/// Samples whose line begins with `prefix`.
fn samples<'a>(text: &'a str, prefix: &str) -> Vec<&'a str> {
    text.lines()
        .filter(|line| line.starts_with(prefix))
        .collect()
}
