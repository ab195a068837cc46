//! What feeds the watchdog of a service manager: the control loops, as they come by. Nobody says of a
//! loop that it goes on but the loop itself; where none comes by, nothing is told, and the guard is
//! ended and started anew.
//!
//! A loop inside a driver call that hangs can't come by, and a restart wouldn't help it: where all are
//! there, or there are none, the watcher of hung loops stands in.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::units::Moment;

use super::shared::Shared;

/// A deadline, as parts of which all times here are counted: whatever the poll interval is, loops come
/// by four times in it, and one that is late by half of it counts as stuck. So the guard ends one
/// deadline after its only loop stopped, and one and three quarters after one of several did.
const LOOKS: u32 = 4;
const PATIENCE: u32 = 2;

/// Tells a service manager that the guard is well. Must not block: a control loop calls it.
pub type Tell = Box<dyn Fn() + Send + Sync>;

pub struct Feed {
    deadline: Duration,
    tell: Tell,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Moment>,
    /// The log was told of those that are stuck.
    starves: bool,
}

impl Feed {
    /// For a watchdog that waits for `deadline`.
    pub fn new(deadline: Duration, tell: Tell) -> Self {
        Self {
            deadline,
            tell,
            state: Mutex::default(),
        }
    }

    /// The longest that a loop rests without coming by.
    pub fn every(&self) -> Duration {
        self.deadline / LOOKS
    }

    /// A loop came by.
    pub fn come_by(&self, shared: &Shared) {
        let now = shared.clock.wall();
        let mut state = self.state();
        // Many loops, and quick ones: one word in a while is enough.
        if state
            .last
            .is_some_and(|last| now < last + self.every() / PATIENCE)
        {
            return;
        }
        let stuck = shared.stuck(self.deadline / PATIENCE);
        if stuck.is_empty() || shared.is_stopping() {
            *state = State {
                last: Some(now),
                starves: false,
            };
            (self.tell)();
            return;
        }
        if !std::mem::replace(&mut state.starves, true) {
            for station in stuck {
                tracing::error!(gpu = station.identity.index, uuid = %station.identity.uuid, "control loop stuck: the watchdog is not fed any more, and systemd will start the guard anew; please report this log");
            }
        }
    }

    /// From beside the loops: only where none of them could come by.
    pub fn stand_in(&self, shared: &Shared) {
        let mut stations = shared.stations().into_iter();
        if stations.all(|station| station.pulse.is_in_driver()) {
            self.come_by(shared);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until when a loop rests that is due then: it comes by meanwhile, `every` so often.
pub fn rests_until(now: Moment, due: Moment, every: Option<Duration>) -> Moment {
    every.map_or(due, |every| due.min(now + every))
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
