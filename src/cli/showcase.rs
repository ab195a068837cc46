//! What `serve --simulate` shows: a node of two cards, one of which gets hot every few minutes.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::device::plant::Load;
use crate::device::profile::{A100_80GB, L40S};
use crate::device::sim::{Card, Conditions, Rack};
use crate::guard::Clock;
use crate::units::{Celsius, Moment};

/// One round: heat, throttle, relief, recovery. Short enough for a first look, long enough that
/// the recovery is complete (25 s of heating, 30 s of hold, 30 s of delay, the steps back) and the
/// next heat, five minutes later, isn't taken for the old one.
const ROUND_SECONDS: u64 = 420;
const HOT_SECONDS: u64 = 60;

/// Two cards: an A100 in failing air whose load comes and goes, and an L40S that is fine.
pub(super) fn rack(clock: Clock) -> Rack {
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

/// Where a simulated guard keeps its token: its user's own, so that no root is needed.
pub(super) fn state_dir() -> PathBuf {
    let user = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    std::env::temp_dir().join(format!("thermal-guard-simulated-{user}"))
}
