//! Tells people of events by one webhook, on a node without an Alertmanager. `filter` picks the events,
//! `message` writes them, `outbox` decides when to send and what to drop, `sender` sends.
//!
//! The guard never waits for it: a thread of its own sends, and what it can't hold or deliver is dropped
//! and counted.

mod counters;
mod current;
mod filter;
mod message;
mod outbox;
mod sender;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use crate::config::NotifyConfig;
use crate::disk::ca_file::TrustError;

use super::event::Event;

use current::Current;
use filter::Filter;
use sender::Sender;

pub use counters::NotifyCounters;
pub use message::Origin;

/// How many events may wait for the thread, while it waits for an answer.
const QUEUE: usize = 256;

/// Whom a message would go to; an error says which of its files is wrong. Sends nothing.
pub fn target(config: &NotifyConfig, origin: Origin) -> Result<String, String> {
    let sender = Sender::new(
        config,
        origin,
        NotifyCounters::default(),
        Current::default(),
    );
    let sender = sender.map_err(|error| format!("notify.ca_file {error}"))?;
    sender.target()
}

/// The webhook of the configuration.
pub struct Notifier {
    filter: Filter,
    queue: SyncSender<Arc<Event>>,
    thread: Option<JoinHandle<()>>,
    counters: NotifyCounters,
    is_current: Current,
}

impl Notifier {
    pub fn start(
        config: &NotifyConfig,
        origin: Origin,
        counters: NotifyCounters,
    ) -> Result<Self, TrustError> {
        let (queue, events) = sync_channel(QUEUE);
        let is_current = Current::default();
        let sender = Sender::new(config, origin, counters.clone(), is_current.clone())?;
        let thread = thread::Builder::new().name("notify".to_owned());
        // If the thread can't start, everything is dropped and counted.
        let thread = thread.spawn(move || sender.run(&events)).ok();
        Ok(Self {
            filter: Filter::new(config.min_severity),
            queue,
            thread,
            counters,
            is_current,
        })
    }

    /// From here on it says no more whether the webhook is up, also if it is just waiting for an answer.
    pub(super) fn retire(&self) {
        self.is_current.retire();
    }

    /// Tells the end of what another webhook was told, too.
    pub(super) fn go_on_from(&mut self, before: Self) {
        self.filter.go_on_from(before.filter);
    }

    /// Queues an event if it is to be told. Never waits.
    pub(super) fn offer(&mut self, event: &Arc<Event>) {
        if !self.filter.is_told(event) {
            return;
        }
        if self.queue.try_send(event.clone()).is_err() {
            self.counters.dropped.inc();
        }
    }

    /// Takes no more. The thread ends once it has tried to tell what it has.
    pub(super) fn close(self) -> Option<JoinHandle<()>> {
        self.thread
    }
}
