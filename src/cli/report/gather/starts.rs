//! Which starts in the log are a guard's, and which of those guards never said that they stopped.

use std::collections::{BTreeMap, BTreeSet};

use crate::events::{Event, What};

/// Starts of guards that were refused because a running guard has the GPU; the running guard continues.
pub(super) fn visits(events: &[Event]) -> BTreeSet<usize> {
    let mut starts = BTreeMap::new();
    let mut visits = BTreeSet::new();
    for (index, event) in events.iter().enumerate() {
        match event.what {
            What::Started { pid, .. } => drop(starts.insert(pid, index)),
            What::Stopped { pid, refused: true } => visits.extend(starts.remove(&pid)),
            _ => {}
        }
    }
    visits
}

/// The starts of guards that never said that they stopped. Guards of one directory may overlap: one
/// that only observes runs beside the service, and each says its process id.
pub(super) fn unended(events: &[Event]) -> BTreeSet<usize> {
    let mut starts = BTreeMap::new();
    let mut unended = BTreeSet::new();
    for (index, event) in events.iter().enumerate() {
        match event.what {
            What::Started { pid, .. } => unended.extend(starts.insert(pid, index)),
            What::Stopped { pid, .. } => drop(starts.remove(&pid)),
            _ => {}
        }
    }
    unended.extend(starts.into_values());
    unended
}
