//! Throttles, from the first event to the last, over guards that end meanwhile.

use std::time::Duration;

use crate::events::{Event, GpuName, Outcome, Throttle, What};

use super::super::incident::Course;
use super::Gather;
use super::throttling::Throttling;

/// What became of a throttle whose guard is gone, if no guard came after it.
const LEFT: &str = "left capped by a guard that is gone";
/// The same, if one came.
const NOT_TAKEN_OVER: &str = "its guard ended, and the next one took nothing over";
/// One that is on. A guard writes no temperature between events.
const ONGOING: &str = "ongoing, as far as the log shows; how hot it gets is known once it is over";

impl Gather {
    pub(super) fn throttled(
        &mut self,
        event: &Event,
        gpu: &GpuName,
        throttle: &Throttle,
        recent: bool,
    ) {
        let known = self.gpu(gpu);
        if recent {
            known.count(throttle);
        }
        // A throttle that begins while one is on that isn't being given back: the guard of that one is
        // gone, and this one found nothing of it.
        if throttle.trigger.is_some() && matches!(event.what, What::Throttled(_)) {
            let open = self.throttles.get(&gpu.uuid);
            if let Some(left) = open.and_then(|open| open.left) {
                self.end_throttle(left, &gpu.uuid, NOT_TAKEN_OVER);
            }
        }
        let open = self.throttles.entry(gpu.uuid.clone());
        let open = open.or_insert_with(|| Throttling::begun(event, gpu, throttle));
        open.goes_on(event, throttle);
    }

    pub(super) fn recovered(&mut self, time: Duration, gpu: &GpuName, outcome: &Outcome) {
        if let Some(course) = self.course(&gpu.uuid) {
            course.ends(outcome);
        }
        if let Some(open) = self.throttles.get_mut(&gpu.uuid) {
            let open = &mut open.incident;
            // As the guard measured it, unless that one knows the end of it only.
            let course = open.throttle.as_ref();
            let whole = course.is_some_and(|course| !course.taken_over);
            open.seconds = whole.then_some(outcome.seconds);
        }
        self.end_throttle(time, &gpu.uuid, "recovered");
    }

    pub(super) fn course(&mut self, uuid: &str) -> Option<&mut Course> {
        self.throttles.get_mut(uuid)?.incident.throttle.as_mut()
    }

    pub(super) fn end_throttle(&mut self, time: Duration, uuid: &str, how: &str) {
        if let Some(open) = self.throttles.remove(uuid) {
            self.close(open.incident, time, how);
        }
    }

    /// At the end of the log. What nobody took over ends with the guard that left it: how long the card
    /// stayed so isn't known.
    pub(super) fn close_throttles(&mut self, until: Duration) {
        let how_left = if self.running.is_empty() {
            LEFT
        } else {
            NOT_TAKEN_OVER
        };
        for (_, mut open) in std::mem::take(&mut self.throttles) {
            open.incident.ongoing = open.left.is_none();
            match open.left {
                Some(left) => self.close(open.incident, left, how_left),
                None => self.close(open.incident, until, ONGOING),
            }
        }
    }
}
