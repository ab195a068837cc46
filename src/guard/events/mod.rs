//! What happened: the last events in memory, for the views, and more of them on disk, for the
//! weekly look back. `watch` makes them of the ticks, `log` writes, `read` reads.

mod event;
mod faulty;
mod log;
mod read;
mod sentence;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::policy::ChainState;
use crate::units::Moment;

use super::clock::Clock;
use log::Log;

pub use event::{Event, GpuName, LeaseTurn, Outcome, Seen, Throttle, What, Word, trouble};
pub use log::{LogCounts, MAX_BYTES};
pub use read::{History, HistoryError, history};
pub use sentence::{Weight, span};
pub use watch::Watch;

/// So many are kept in memory.
pub const RECENT: usize = 64;

/// How long a stop waits for the disk.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Takes events from everywhere; never waits for a disk.
#[derive(Default)]
pub struct Events {
    recent: Mutex<VecDeque<Arc<Event>>>,
    log: Mutex<Option<Log>>,
    node: Mutex<Node>,
}

/// What was last known of the whole guard's surroundings.
#[derive(Default)]
struct Node {
    chain: Option<ChainState>,
    driverless_since: Option<Moment>,
}

impl Events {
    /// In memory only: what is simulated in virtual time leaves nothing behind.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on also written to the log in `state_dir`.
    pub fn write_to(&self, state_dir: &Path) {
        *lock(&self.log) = Some(Log::open(state_dir));
    }

    /// It happened just now, to one GPU or to the whole guard.
    pub fn note(&self, gpu: Option<GpuName>, what: What) {
        let event = Arc::new(Event {
            time: Clock::unix(),
            gpu,
            what,
        });
        let mut recent = lock(&self.recent);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        // Under the same lock, so that both have the same order; an offer never waits.
        if let Some(log) = &*lock(&self.log) {
            log.offer(event);
        }
    }

    /// The alert chain, as it is now; an event only if it was in another state before.
    pub fn note_chain(&self, state: ChainState) {
        let before = lock(&self.node).chain.replace(state);
        if let Some(before) = before.filter(|before| *before != state) {
            let (from, to) = (before.name().into(), state.name().into());
            self.note(None, What::Chain { from, to });
        }
    }

    /// Whether there is a driver; an event only where that changes, or there is none from the start.
    pub fn note_driver(&self, now: Moment, up: bool) {
        let trouble = trouble::DRIVER_GONE.into();
        let mut node = lock(&self.node);
        let what = match (node.driverless_since, up) {
            (None, false) => {
                node.driverless_since = Some(now);
                let detail = None;
                What::TroubleBegan { trouble, detail }
            }
            (Some(since), true) => {
                node.driverless_since = None;
                What::TroubleEnded {
                    trouble,
                    detail: None,
                    seconds: now.since(since).as_secs_f64(),
                }
            }
            _ => return,
        };
        drop(node);
        self.note(None, what);
    }

    /// The last ones, oldest first.
    pub fn recent(&self) -> Vec<Arc<Event>> {
        lock(&self.recent).iter().cloned().collect()
    }

    /// `None` without a log.
    pub fn log_counts(&self) -> Option<LogCounts> {
        lock(&self.log).as_ref().map(Log::counts)
    }

    /// Writes what is left, if the disk lets it.
    pub fn close(&self) {
        let log = lock(&self.log).take();
        if let Some(mut log) = log {
            log.close(CLOSE_PATIENCE);
        }
    }
}

/// A panic elsewhere doesn't make the data wrong: every writer leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
