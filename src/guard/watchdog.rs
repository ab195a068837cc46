//! The control loops feed the service manager's watchdog. Only a loop itself can report that it runs.
//! If no loop reports, the watchdog isn't fed, and the service manager restarts the guard.
//!
//! A loop inside a hung driver call can't report, and a restart wouldn't help it. If all loops are
//! inside the driver, or there are none, the hang watch feeds the watchdog instead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::guard::state::GpuHandle;
use crate::units::Moment;

/// All times here are parts of the watchdog's deadline. Whatever the poll interval is, a loop reports
/// four times per deadline, and a loop that is late by half a deadline counts as stuck. So the guard
/// ends one deadline after its only loop stopped, and one and three quarters after one of several did.
const REPORTS: u32 = 4;
const PATIENCE: u32 = 2;

/// Tells the service manager that the guard runs. It must not block: a control loop calls it.
pub type Tell = Box<dyn Fn() + Send + Sync>;

pub struct Watchdog {
    deadline: Duration,
    tell: Tell,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    last: Option<Moment>,
    /// The stuck loops were logged.
    starves: bool,
}

impl Watchdog {
    /// For a watchdog that waits for `deadline`.
    pub fn new(deadline: Duration, tell: Tell) -> Self {
        Self {
            deadline,
            tell,
            state: Mutex::default(),
        }
    }

    /// The longest time a loop may rest between two reports.
    pub fn every(&self) -> Duration {
        self.deadline / REPORTS
    }

    /// A loop reports. `stuck` finds the loops that are later than the given patience.
    pub fn come_by(&self, now: Moment, stuck: impl FnOnce(Duration) -> Vec<Arc<GpuHandle>>) {
        let mut state = self.state();
        // There may be many loops, and quick ones: the service manager needs to hear only now and then.
        if state
            .last
            .is_some_and(|last| now < last + self.every() / PATIENCE)
        {
            return;
        }
        let stuck = stuck(self.deadline / PATIENCE);
        if stuck.is_empty() {
            *state = State {
                last: Some(now),
                starves: false,
            };
            (self.tell)();
            return;
        }
        if !std::mem::replace(&mut state.starves, true) {
            for gpu_handle in stuck {
                tracing::error!(gpu = gpu_handle.identity.index, uuid = %gpu_handle.identity.uuid, "control loop stuck: the watchdog is not fed any more, and systemd will restart the guard; please report this log");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a loop that is due at `due` must report next, if it reports every `every`.
pub fn rests_until(now: Moment, due: Moment, every: Option<Duration>) -> Moment {
    every.map_or(due, |every| due.min(now + every))
}

#[cfg(test)]
mod tests;
