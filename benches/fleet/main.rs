//! Two hundred guards on one machine, with one real Prometheus and one real Alertmanager: what they
//! cost, how fast a rack that gets hot is throttled, and whether that depends on how many there are
//! or on the dead among them. `cargo build --release --workspace` first; six minutes.
//!
//! Beside them, in the same run, ten fleets of one, each with a chain of its own: one node has one
//! place in the scrape's round and one distance to the evaluation, so one alone would tell of luck.

#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::float_cmp,
    clippy::panic,
    reason = "a benchmark: it waits by the wall clock, and what doesn't start can't be measured"
)]

#[path = "../../tests/common/mod.rs"]
mod common;
mod costs;
mod fleet;
mod heartbeats;
mod leases;
#[path = "../page.rs"]
mod page;
mod reaction;
mod report;
#[path = "../reaction/trace.rs"]
#[allow(dead_code, reason = "here nobody asks for the time")]
mod trace;

use std::env;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use common::chain::make_room;
use common::guard::Guard;
use costs::Costs;
use fleet::{Fleet, RACK};
use heartbeats::Heartbeats;
use leases::Leases;
use reaction::Reactions;

/// Fewer for a trial.
const NODES: &str = "THERMAL_GUARD_FLEET_NODES";

/// Fleets of one: as many nodes as get hot at a time in the large one.
const ALONE: usize = RACK;

/// How long nothing happens while the costs are taken.
const QUIET: Duration = Duration::from_secs(40);

/// How long the chain has to notice what died.
const AFTERMATH: Duration = Duration::from_secs(20);

/// What one stage of the story showed.
struct Stage {
    reactions: Reactions,
    leases: Leases,
}

/// All that the page tells.
struct Story {
    nodes: usize,
    alone: Reactions,
    costs: Costs,
    calm: Stage,
    faulty: Stage,
    heartbeats: Heartbeats,
    /// As Prometheus saw it: targets down, GPUs reported as hung.
    down: usize,
    hung: usize,
}

fn main() {
    let nodes = env::var(NODES).map_or(200, |text| text.parse().expect("a number of nodes"));
    assert!(
        nodes >= 3 * RACK,
        "{NODES}={nodes}: three racks of {RACK} are the least"
    );
    // State directories and the simulated machines: a disk would be measured instead.
    tempfile::env::override_temp_dir(Path::new("/dev/shm")).expect("set once");
    make_room(ALONE);
    let alone = alone();
    let story = fleet(nodes, alone);
    page::publish("fleet", &report::text(&story));
}

/// Ten fleets of one, whose GPUs get hot together.
fn alone() -> Reactions {
    let fleets: Vec<_> = (0..ALONE).map(|number| Fleet::start(number, 1)).collect();
    fleets.iter().for_each(Fleet::settle);
    let nodes: Vec<_> = fleets.iter().flat_map(|fleet| &fleet.guards).collect();
    reaction::heat(&nodes, &[])
}

fn fleet(nodes: usize, alone: Reactions) -> Story {
    let mut fleet = Fleet::start(ALONE, nodes);
    fleet.settle();
    let settled = Fleet::now();
    let costs = costs::measure(&fleet, QUIET);
    let calm = stage(&fleet, fleet.rack(0), &[]);

    let hung = fleet.rack(1).len() - 1;
    fleet.rack(1)[hung]
        .machine
        .ctl(&["fault", "--gpu", "0", "hang"]);
    fleet.kill_rack(2);
    sleep(AFTERMATH);
    let faulty = stage(&fleet, fleet.rack(1), &[(hung, 0)]);
    Story {
        nodes,
        alone,
        costs,
        calm,
        faulty,
        heartbeats: heartbeats::heard(&fleet, settled),
        down: fleet.count("up{job='thermal-guard'} == 0"),
        hung: fleet.count("thermal_guard_gpu_hung == 1"),
    }
}

/// One rack gets hot, but for GPUs that can't tell.
fn stage(fleet: &Fleet, rack: &[Guard], mute: &[(usize, usize)]) -> Stage {
    let nodes: Vec<_> = rack.iter().collect();
    Stage {
        reactions: reaction::heat(&nodes, mute),
        leases: leases::compare(fleet),
    }
}
