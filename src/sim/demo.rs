//! The node of `serve --simulate`: two cards, one of which gets hot every few minutes.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::clock::Clock;
use crate::sim::card::{Card, Conditions, Rack};
use crate::sim::plant::Load;
use crate::sim::profile::{A100_80GB, L40S};
use crate::units::{Celsius, Moment};

/// One round: heat, throttle, relief, recovery. It is short enough for a first look, and long
/// enough for a complete recovery (25 s of heating, 30 s of throttle, 30 s of delay, the steps
/// back). The next heat, five minutes later, doesn't count as the old one.
const ROUND_SECONDS: u64 = 420;
const HOT_SECONDS: u64 = 60;

/// Two cards: an A100 in failing air whose load comes and goes, and an L40S that is fine.
pub(crate) fn rack(clock: Clock) -> Rack {
    let hot = Card::new(&A100_80GB, 0, Box::new(rounds));
    let calm = Load {
        power: 0.6,
        compute_bound: 1.0,
    };
    let calm = Conditions {
        load: calm,
        ..Conditions::full_load(Celsius::new(24.0))
    };
    let cool = Card::new(&L40S, 1, Box::new(move |_| calm));
    Rack::new(vec![hot, cool], move || clock.now())
}

fn rounds(now: Moment) -> Conditions {
    let second = now.since_start().as_secs() % ROUND_SECONDS;
    let power = if second < HOT_SECONDS { 1.0 } else { 0.2 };
    Conditions {
        load: Load {
            power,
            compute_bound: 1.0,
        },
        inlet: Celsius::new(44.0),
        airflow_resistance: 1.0,
        hbm_resistance: 1.0,
    }
}

/// Where a simulated guard keeps its token: a directory of the user, so that it doesn't need root.
pub(crate) fn state_dir() -> PathBuf {
    let user = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    std::env::temp_dir().join(format!("thermal-guard-simulated-{user}"))
}
