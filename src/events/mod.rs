//! The event log: the last events in memory, for the views, and more of them on disk, for the weekly
//! report. `event` has their types, `word` and `trouble` the names in them, `sentence` their texts for
//! people; `log` writes to disk, and `read` reads from it; `notify` tells a webhook.

mod event;
mod log;
pub mod notify;
mod read;
mod sentence;
#[cfg(test)]
mod tests;
mod trouble;
mod word;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::policy::ChainState;
use crate::units::Moment;

use super::clock::Clock;
use log::Log;

pub use crate::config::Weight;
pub use event::{
    Cost, Event, GpuName, LeaseTurn, Outcome, Seen, SlowedItself, Text, Throttle, What,
};
pub use log::{LogCounters, MAX_BYTES};
pub use notify::{Notifier, NotifyCounters, Origin};
pub use read::{History, HistoryError, history, newest};
pub use sentence::{reason, span, who};
pub use trouble::Trouble;
pub use word::{Named, Source, Why, Word};

/// How many events are kept in memory.
pub const RECENT: usize = 64;

/// How long a stop waits for the disk, and for the webhook.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

/// Takes events from all threads, and never waits for a disk.
#[derive(Default)]
pub struct Events {
    recent: Mutex<VecDeque<Arc<Event>>>,
    /// The start of a guard that may still be refused. Only used while `recent` is locked.
    start: Mutex<Option<Arc<Event>>>,
    log: Mutex<Option<Log>>,
    pub log_counters: LogCounters,
    notifier: Mutex<Option<Notifier>>,
    pub notify_counters: NotifyCounters,
    node: Mutex<Node>,
}

/// The last known states of the alert chain and the driver.
#[derive(Default)]
struct Node {
    chain: Option<(Moment, ChainState)>,
    driverless_since: Option<Moment>,
}

impl Events {
    /// Events in memory only: a simulation in virtual time leaves nothing on disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, events are also written to the log in `state_dir`.
    pub fn write_to(&self, state_dir: &Path) {
        *lock(&self.log) = Some(Log::open(state_dir, self.log_counters.clone()));
    }

    /// From now on, events are also told to this webhook, and to none before it.
    pub fn tell(&self, mut notifier: Option<Notifier>) {
        let mut current = lock(&self.notifier);
        // The thread of the one before ends by itself, and says no more whether a webhook is up.
        if let Some(before) = current.take() {
            before.retire();
            if let Some(notifier) = &mut notifier {
                notifier.go_on_from(before);
            }
        }
        *current = notifier;
        self.notify_counters.up.clear();
    }

    /// Notes an event of now, of one GPU or of the whole guard.
    pub fn note(&self, gpu: Option<GpuName>, what: What) {
        let mut recent = lock(&self.recent);
        let start = lock(&self.start).take();
        for event in start.into_iter().chain([now(gpu, what)]) {
            self.append(&mut recent, event);
        }
    }

    /// Notes that the guard starts, once it is sure: with the next event, or by [`Self::started`].
    pub fn starting(&self, what: What) {
        let _recent = lock(&self.recent);
        *lock(&self.start) = Some(now(None, what));
    }

    /// The guard has its GPUs, so it has started.
    pub fn started(&self) {
        let mut recent = lock(&self.recent);
        if let Some(start) = lock(&self.start).take() {
            self.append(&mut recent, start);
        }
    }

    /// The guard was refused. True: its start wasn't noted yet, and now it never will be.
    pub fn withdraw_start(&self) -> bool {
        let _recent = lock(&self.recent);
        lock(&self.start).take().is_some()
    }

    fn append(&self, recent: &mut VecDeque<Arc<Event>>, event: Arc<Event>) {
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(event.clone());
        // Under the lock of `recent`, so that both have the same order. An offer never waits.
        if let Some(notifier) = &mut *lock(&self.notifier) {
            notifier.offer(&event);
        }
        if let Some(log) = &*lock(&self.log) {
            log.offer(event);
        }
    }

    /// Notes the state of the alert chain at a time on the wall's clock. It is an event only if the state has
    /// changed. A worker that hung in the driver tells what was long ago: that is no news.
    /// `fault` goes to the log: what is wrong, for people.
    pub fn note_chain(&self, at: Moment, state: ChainState, fault: Option<&'static str>) {
        let before = {
            let mut node = lock(&self.node);
            if node.chain.is_some_and(|(last, _)| at < last) {
                return;
            }
            node.chain.replace((at, state))
        };
        let before = before.map(|(_, state)| state);
        if let Some(before) = before.filter(|before| *before != state) {
            log_chain(before, state, fault);
            let (from, to) = (before.into(), state.into());
            self.note(None, What::Chain { from, to });
        }
    }

    /// Notes whether there is a driver. It is an event only if that has changed, or if there is none at
    /// the start.
    pub fn note_driver(&self, now: Moment, up: bool) {
        let trouble = Trouble::DriverGone.into();
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

    /// The last events, oldest first.
    pub fn recent(&self) -> Vec<Arc<Event>> {
        lock(&self.recent).iter().cloned().collect()
    }

    /// Writes and tells what is left, if disk and webhook let it.
    pub fn close(&self) {
        let notifier = lock(&self.notifier).take().and_then(Notifier::close);
        let log = lock(&self.log).take().and_then(Log::close);
        let threads = [notifier, log];
        let step = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while threads.iter().flatten().any(|it| !it.is_finished()) && waited < CLOSE_PATIENCE {
            thread::sleep(step);
            waited += step;
        }
    }
}

fn log_chain(before: ChainState, now: ChainState, fault: Option<&'static str>) {
    let (state, before) = (now.name(), before.name());
    match now {
        ChainState::Stale | ChainState::Down => tracing::warn!(
            state,
            before,
            "alert chain: the local loop protects alone; {}",
            fault.unwrap_or_default()
        ),
        _ => tracing::info!(state, before, "alert chain"),
    }
}

/// A panic elsewhere doesn't make the data wrong: every writer leaves it consistent.
fn now(gpu: Option<GpuName>, what: What) -> Arc<Event> {
    Arc::new(Event {
        time: Clock::unix(),
        gpu,
        what,
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
