//! How long the guard would believe a sensor that stands still: each lasting move of a recorded draw,
//! played once more with the core's reading held from just before it.

use std::time::Duration;

use serde::Serialize;

use crate::device::Facts;
use crate::recording::{Card, Sample};
use crate::units::{Celsius, Moment};

use super::run::{Tape, caps};

/// A move by this share of the full draw.
const MOVES: f64 = 0.4;
/// It is there in each second of these, after one that the meter needs, and wasn't in those before.
const LASTS: Duration = Duration::from_secs(10);
const RAMPS: Duration = Duration::from_secs(2);
/// The next one begins no sooner.
const APART: Duration = Duration::from_secs(60);
/// The guard must cap within this.
const CAPS_WITHIN: f64 = 60.0;
/// Of a long recording, the moves that are tried.
const MOST: usize = 50;

/// One lasting move, with the reading held.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "JSON says the unit, as everywhere"
)]
pub(super) struct Held {
    pub(super) at_seconds: f64,
    /// `None`: not by the recording's end.
    pub(super) capped_after_seconds: Option<f64>,
    /// How much of the recording was left.
    pub(super) left_seconds: f64,
}

impl Held {
    /// A recording that ends too soon tells nothing.
    pub(super) fn is_late(&self) -> bool {
        match self.capped_after_seconds {
            Some(after) => after > CAPS_WITHIN,
            None => self.left_seconds >= CAPS_WITHIN,
        }
    }
}

pub(super) fn all(card: &Card, facts: &Facts) -> Vec<Held> {
    let Some(full) = facts.power.map(|power| power.default.as_f64()) else {
        return Vec::new();
    };
    let moves = moves(&card.samples, MOVES * full);
    moves.into_iter().map(|at| held(card, facts, at)).collect()
}

/// Where lasting moves begin.
fn moves(samples: &[Sample], least: f64) -> Vec<Moment> {
    let drawn = |it: &Sample| Some((it.at, it.draw?.as_f64()));
    let drawn: Vec<_> = samples.iter().filter_map(drawn).collect();
    let mut found: Vec<Moment> = Vec::new();
    let (mut before, mut begun, mut ended) = (0, 0, 0);
    for (index, &(at, _)) in drawn.iter().enumerate() {
        let reach = |mut to: usize, limit: &dyn Fn(Moment) -> bool| {
            while to < drawn.len() && limit(drawn[to].0) {
                to += 1;
            }
            to
        };
        before = reach(before, &|it| at.since(it) > LASTS);
        begun = reach(begun, &|it| it < at + RAMPS);
        ended = reach(ended, &|it| it <= at + RAMPS + LASTS);
        let known = at.since(drawn[0].0) >= LASTS && ended < drawn.len();
        let free = found.last().is_none_or(|last| at.since(*last) > APART);
        if !known || !free || begun >= ended || found.len() == MOST {
            continue;
        }
        let (low, high) = range(&drawn[before..index.max(before + 1)]);
        let (lower, higher) = range(&drawn[begun..ended]);
        if lower - high >= least || low - higher >= least {
            found.push(at);
        }
    }
    found
}

fn range(drawn: &[(Moment, f64)]) -> (f64, f64) {
    let all = || drawn.iter().map(|it| it.1);
    let low = all().fold(f64::INFINITY, f64::min);
    (low, all().fold(f64::NEG_INFINITY, f64::max))
}

/// The same recording, with the core's last reading before `begun` for ever.
fn held(card: &Card, facts: &Facts, begun: Moment) -> Held {
    let mut tape = Tape::new(facts);
    let mut last: Option<Celsius> = None;
    let mut capped = None;
    for sample in &card.samples {
        let core = if sample.at < begun {
            sample.core
        } else {
            last.or(sample.core)
        };
        last = core.or(last);
        let decision = tape.play(&Sample { core, ..*sample });
        if sample.at >= begun && caps(&decision) {
            capped = Some(sample.at);
            break;
        }
    }
    let end = card.samples.last().map_or(begun, |it| it.at);
    Held {
        at_seconds: begun.since_start().as_secs_f64(),
        capped_after_seconds: capped.map(|at| at.since(begun).as_secs_f64()),
        left_seconds: end.since(begun).as_secs_f64(),
    }
}
