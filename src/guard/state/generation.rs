//! Tells views whether anything has changed since they were made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that grows with every change of the guard's state. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Generation(Arc<AtomicU64>);

impl Generation {
    /// To be called after the change, so that a view of the new number has the change in it.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }

    /// To be read before the state is.
    pub fn current(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}
