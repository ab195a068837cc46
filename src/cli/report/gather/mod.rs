//! Turns events into incidents: an incident stays open until it ends, the guard dies, or the log ends.
//!
//! `guards` takes what guards say of themselves, `throttles` what they say of a throttle, and `close`
//! books what has ended.

mod close;
mod guards;
mod starts;
mod throttles;
mod throttling;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::events::{Event, GpuName, History, What};

use super::incident::Incident;
use super::record::{Gpu, Guard, Record};
use starts::{unended, visits};
use throttling::Throttling;

/// The report for the time from `since` to `until`.
pub(crate) fn all(history: &History, since: Duration, until: Duration) -> Record {
    let mut gather = Gather {
        since,
        record: Record {
            since,
            until,
            log_begins: history.events.first().map(|event| event.time),
            unreadable_lines: history.unreadable,
            unrecorded_events: 0,
            guard: Guard::default(),
            gpus: Vec::new(),
            incidents: Vec::new(),
        },
        gpus: BTreeMap::new(),
        throttles: BTreeMap::new(),
        spells: BTreeMap::new(),
        running: BTreeMap::new(),
        unended: unended(&history.events),
        observes: false,
        last: Duration::ZERO,
    };
    let visits = visits(&history.events);
    for (index, event) in history.events.iter().enumerate() {
        if !visits.contains(&index) {
            gather.take(index, event);
        }
        // `restore` is no sign of life of a guard, and neither is a guard that didn't start.
        if !matches!(
            event.what,
            What::Restored { .. } | What::StartRefused { .. }
        ) {
            gather.last = event.time;
        }
    }
    gather.finish(until)
}

/// The kind of incident that is a slowdown by the card itself.
const OWN_SLOWDOWN: &str = "own_slowdown";

/// Key of an open incident: its kind, and the GPU's UUID; none for the guard itself.
type Key = (String, String);

struct Gather {
    since: Duration,
    record: Record,
    gpus: BTreeMap<String, Gpu>,
    /// By UUID.
    throttles: BTreeMap<String, Throttling>,
    spells: BTreeMap<Key, Incident>,
    /// The latest start of each mode that hasn't stopped: its place in the log, and its process.
    running: BTreeMap<String, (usize, u32)>,
    unended: BTreeSet<usize>,
    /// The guard that runs, or ran last, writes to nothing.
    observes: bool,
    /// The event before.
    last: Duration,
}

impl Gather {
    fn take(&mut self, index: usize, event: &Event) {
        let time = event.time;
        let recent = time >= self.since;
        match (&event.gpu, &event.what) {
            (None, what) => self.of_guard(index, event, what, recent),
            (Some(gpu), What::Throttled(it) | What::Blinded(it) | What::Escalated(it)) => {
                self.throttled(event, gpu, it, recent);
            }
            (Some(gpu), What::Recovered(outcome)) => self.recovered(time, gpu, outcome),
            (Some(gpu), What::Left { capped: false }) => {
                self.end_throttle(time, &gpu.uuid, "given back as the guard left");
            }
            (Some(gpu), What::Restored { kept, .. }) => {
                if !kept {
                    self.end_throttle(time, &gpu.uuid, "given back by `restore`");
                } else if recent {
                    self.point(event, "restore");
                }
            }
            (Some(gpu), What::Eased(seen) | What::Recovering(seen)) => {
                if let Some(course) = self.course(&gpu.uuid) {
                    course.felt(seen.temperature_celsius);
                }
            }
            (Some(_), What::SlowedItself(_)) => self.begin(event, OWN_SLOWDOWN),
            (Some(_), What::SlowedItselfEnded(outcome)) => {
                self.end_own_slowdown(time, &key(event, OWN_SLOWDOWN), outcome);
            }
            (Some(_), What::TroubleBegan { trouble, .. }) => self.begin(event, trouble.as_str()),
            (Some(_), What::TroubleEnded { trouble, .. }) => {
                self.end(time, &key(event, trouble.as_str()));
            }
            (Some(gpu), What::Xid { xid, count }) if recent => {
                let seen = self.gpu(gpu).xids.entry(*xid).or_default();
                *seen = seen.saturating_add(*count);
                self.point(event, "xid");
            }
            (Some(gpu), What::Paused { .. }) if recent => {
                self.gpu(gpu).pauses += 1;
                self.point(event, "pause");
            }
            // Other events report their effect.
            _ => {}
        }
    }

    fn gpu(&mut self, name: &GpuName) -> &mut Gpu {
        let gpu = self.gpus.entry(name.uuid.clone());
        let gpu = gpu.or_insert_with(|| Gpu::named(name.clone()));
        // A card can move to another index.
        gpu.name = name.clone();
        gpu
    }

    fn begin(&mut self, event: &Event, kind: &str) {
        let incident = Incident {
            ongoing: true,
            ..Incident::at(event.time, event.gpu.clone(), kind, event.what.to_string())
        };
        let incident = incident.weighing(event.weight());
        self.spells.entry(key(event, kind)).or_insert(incident);
    }

    fn end(&mut self, time: Duration, key: &Key) {
        if let Some(mut open) = self.spells.remove(key) {
            open.ongoing = false;
            self.close(open, time, "");
        }
    }

    /// An incident without a duration.
    fn point(&mut self, event: &Event, kind: &str) {
        let incident = Incident::at(event.time, event.gpu.clone(), kind, event.what.to_string());
        let incident = incident.weighing(event.weight());
        self.record.incidents.push(incident);
    }
}

/// Of one that begins or ends by this event.
fn key(event: &Event, kind: &str) -> Key {
    let detail = match &event.what {
        // Several writes can fail at a time, each in its way.
        What::TroubleBegan { detail, .. } | What::TroubleEnded { detail, .. } => detail.as_deref(),
        _ => None,
    };
    let uuid = event.gpu.as_ref().map_or("", |gpu| &gpu.uuid);
    let kind = [Some(kind), detail].into_iter().flatten();
    (uuid.to_owned(), kind.collect::<Vec<_>>().join(": "))
}
