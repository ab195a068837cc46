//! What happened: the last events in memory, for the views, and all of them on disk, for the
//! weekly look back.

mod event;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::clock::Clock;

pub use event::{Event, GpuName, LeaseTurn, Outcome, Seen, Throttle, What, Word, trouble};

/// So many are kept in memory.
pub const RECENT: usize = 64;

/// Takes events from everywhere; never waits for a disk.
#[derive(Default)]
pub struct Events {
    recent: Mutex<VecDeque<Arc<Event>>>,
}

impl Events {
    /// It happened just now, to the whole guard or to one GPU.
    pub fn note(&self, gpu: Option<GpuName>, what: What) {
        let event = Arc::new(Event {
            time: Clock::unix(),
            gpu,
            what,
        });
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(event);
    }

    /// The last ones, oldest first.
    pub fn recent(&self) -> Vec<Arc<Event>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().cloned().collect()
    }
}
