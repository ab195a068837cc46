//! The log on disk: what survives, what it may cost, what it refuses. And that the events say what
//! the metrics count.

mod disk;
mod told;
mod troubles;

use super::*;
use crate::guard::Tick;
use crate::policy::{Settings, State};
use crate::sim::card::Conditions;
use crate::sim::node::{AT_REST, Node};
use crate::sim::profile::A100_80GB;
use crate::units::Celsius;

fn xid(xid: u64) -> What {
    What::Xid { xid, count: 1 }
}

fn whats(node: &Node) -> Vec<What> {
    let recent = node.shared.events.recent();
    recent.iter().map(|event| event.what.clone()).collect()
}

const HOT: Conditions = Conditions::full_load(Celsius::new(40.0));

/// Hot, held, cool again: until the card is as it was.
fn heat_wave(node: &mut Node) -> Tick {
    node.set(0, HOT);
    node.run(600);
    node.set(0, AT_REST);
    let mut tick = node.run(60).remove(0);
    for _ in 0..600 {
        if tick.decision.state == State::Normal {
            break;
        }
        tick = node.step().remove(0);
    }
    tick
}

/// What began (`+`) and what ended (`-`) of one trouble.
fn troubles(whats: &[What], wanted: Trouble) -> Vec<String> {
    let told = |sign, detail: &Option<Text>| format!("{sign}{}", detail.as_deref().unwrap_or(""));
    let of = |what: &What| match what {
        What::TroubleBegan { trouble, detail } if *trouble == wanted => Some(told('+', detail)),
        What::TroubleEnded {
            trouble, detail, ..
        } if *trouble == wanted => Some(told('-', detail)),
        _ => None,
    };
    whats.iter().filter_map(of).collect()
}
