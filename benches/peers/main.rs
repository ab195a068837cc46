//! The guard beside the programs that people use today: on the same machine, over the same simulated
//! NVML library, in the same run. `make bench` installs them and runs it; `-- --quick` is a short
//! form, to see whether it works.
//!
//! Nothing here fails by how long something takes: it says which bar is met and which is missed.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a benchmark: starts programs, waits by the wall clock, and ends if it can't measure"
)]

mod client;
mod measure;
#[path = "../page.rs"]
mod page;
mod place;
mod program;
mod report;
mod usage;
mod verdict;

#[allow(dead_code, reason = "each program uses its own part")]
#[path = "../../tests/common/nvml_sim.rs"]
mod nvml_sim;

use measure::{Plan, compare};
use program::{ALL_SMI, ALL_SMI_1S, GUARD, NVITOP, SCRIPTS, WATCHER};

/// Of the comparison.
const GPUS: usize = 8;

/// How the guard's cost grows.
const SIZES: [usize; 4] = [1, 4, 8, 16];

fn main() {
    place::enter();
    let quick = std::env::args().any(|argument| argument == "--quick");
    let plan = if quick { Plan::QUICK } else { Plan::FULL };
    let peers = [GUARD, WATCHER, NVITOP, ALL_SMI, ALL_SMI_1S, SCRIPTS];
    let peers = compare(plan, &peers.map(|kind| (kind, GPUS)));
    let sizes = compare(plan, &SIZES.map(|gpus| (GUARD, gpus)));
    page::publish("peers", &report::page(&peers, &sizes));
}
