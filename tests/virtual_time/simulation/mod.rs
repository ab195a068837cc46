//! The guard against physics, in virtual time: scenarios first, then properties over random ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod foreign_limit;
mod heat;
mod leases;
mod restart;
mod sight;

use std::time::Duration;

use thermal_guard::guard::Tick;
use thermal_guard::policy::{Level, Settings, State, Unguarded};
use thermal_guard::sim::card::{Conditions, Fault};
use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::{Celsius, Watts};

use crate::common::virtual_node::{COOL, Node, RunUntil, room};

/// An inlet that takes every card over alert at full load, and that every card can be held in.
const HOT: Celsius = Celsius::new(42.0);

const IDLE: Conditions = Conditions {
    load: Load::IDLE,
    ..room(COOL)
};

fn a100() -> Node {
    Node::new(
        &[profile::named("a100-80gb").unwrap()],
        &Settings::default(),
    )
}

fn state(ticks: &[Tick]) -> State {
    ticks[0].decision.state
}

/// Everything as before the guard came.
#[track_caller]
fn assert_untouched(node: &Node, card: usize, original: Watts) {
    let card = node.rack.card(card);
    assert_eq!(card.limit, original);
    assert_eq!((card.gpu_clock, card.memory_clock), (None, None));
}
