//! A throttle between its first event and its last.

use std::time::Duration;

use crate::events::{Event, GpuName, Throttle};

use super::super::incident::{Course, Incident};

/// A throttle that is open, as far as the events tell.
pub(super) struct Throttling {
    pub(super) incident: Incident,
    /// Its guard was gone then, and no other one has taken it over.
    pub(super) left: Option<Duration>,
}

impl Throttling {
    pub(super) fn begun(event: &Event, gpu: &GpuName, throttle: &Throttle) -> Self {
        Self {
            incident: Incident {
                throttle: Some(Course::begun(throttle)),
                ..Incident::at(event.time, Some(gpu.clone()), "throttle", String::new())
            },
            left: None,
        }
    }

    pub(super) fn goes_on(&mut self, event: &Event, throttle: &Throttle) {
        self.left = None;
        self.incident.weight = self.incident.weight.max(event.weight());
        if let Some(course) = &mut self.incident.throttle {
            course.goes_on(throttle);
        }
    }

    /// Its guard is gone. A later end of another guard changes nothing.
    pub(super) fn left_at(&mut self, time: Duration) {
        self.left.get_or_insert(time);
    }
}
