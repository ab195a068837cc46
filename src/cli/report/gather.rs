//! Turns events into incidents: an incident stays open until it ends, the guard dies, or the log ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Mode;
use crate::events::{
    Event, GpuName, History, Outcome, Throttle, Trouble, Weight, What, Word, span,
};
use crate::policy::ChainState;

use super::incident::{Course, Incident};
use super::record::{Gpu, Guard, Record, hotter};

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

/// Starts of guards that were refused because a running guard has the GPU; the running guard continues.
fn visits(events: &[Event]) -> BTreeSet<usize> {
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
fn unended(events: &[Event]) -> BTreeSet<usize> {
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

/// The kind of incident that is a slowdown by the card itself.
const OWN_SLOWDOWN: &str = "own_slowdown";

/// Key of an open incident: its kind, and the GPU's UUID; none for the guard itself.
type Key = (String, String);

struct Gather {
    since: Duration,
    record: Record,
    gpus: BTreeMap<String, Gpu>,
    /// By UUID.
    throttles: BTreeMap<String, Incident>,
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

    fn of_guard(&mut self, index: usize, event: &Event, what: &What, recent: bool) {
        let time = event.time;
        match what {
            What::Started { mode, pid, .. } => {
                let before = self.running.insert(mode.to_string(), (index, *pid));
                let died = before.is_some_and(|(start, _)| self.unended.contains(&start));
                self.started(event, died, recent);
                self.observes = *mode == Mode::Observe;
            }
            What::Stopped {
                refused: false,
                pid,
            } => {
                self.running.retain(|_, (_, running)| running != pid);
                if self.running.is_empty() {
                    self.end_all(time);
                }
            }
            What::Stopped { refused: true, .. } | What::StartRefused { .. } if recent => {
                self.point(event, "guard");
            }
            What::TroubleBegan { trouble, .. } => self.begin(event, trouble.as_str()),
            What::TroubleEnded { trouble, .. } => self.end(time, &key(event, trouble.as_str())),
            What::Chain {
                to: Word::Known(ChainState::Stale | ChainState::Down),
                ..
            } => self.begin(event, "chain"),
            What::Chain { .. } => self.end(time, &key(event, "chain")),
            What::Detached => self.begin(event, "detached"),
            What::Attached => self.end(time, &key(event, "detached")),
            What::Reloaded { ok: false } if recent => {
                self.record.guard.reloads_refused += 1;
                self.point(event, "reload");
            }
            What::Unrecorded { count } if recent => {
                let lost = &mut self.record.unrecorded_events;
                *lost = lost.saturating_add(*count);
                self.point(event, "unrecorded");
            }
            _ => {}
        }
    }

    /// A guard that is still running never says that it stopped: it was killed, or the power was.
    fn started(&mut self, event: &Event, died: bool, recent: bool) {
        let last = self.last;
        // Beside another one that is running, nothing ends.
        if died || self.running.len() == 1 {
            self.end_all(last);
        }
        self.record.guard.starts += u32::from(recent);
        if died && recent {
            self.record.guard.deaths += 1;
            let silent = span(event.time.saturating_sub(last).as_secs_f64());
            let text = format!(
                "started; the guard before ended without a word, last heard of {silent} earlier: killed, or the machine went down"
            );
            let incident = Incident::at(event.time, None, "guard", text);
            self.record.incidents.push(incident.weighing(Weight::Error));
        }
    }

    fn throttled(&mut self, event: &Event, gpu: &GpuName, throttle: &Throttle, recent: bool) {
        let known = self.gpu(gpu);
        if recent {
            known.count(throttle);
        }
        let fresh = throttle.trigger.is_some() && matches!(event.what, What::Throttled(_));
        // A throttle that begins while one is on that isn't being given back: its guard is dead,
        // and this one found nothing of it.
        let orphaned = fresh
            && self
                .throttles
                .get(&gpu.uuid)
                .is_some_and(|open| !open.ongoing);
        if orphaned {
            self.end_throttle(self.last, &gpu.uuid, "left to the next start or `restore`");
        }
        let open = self
            .throttles
            .entry(gpu.uuid.clone())
            .or_insert_with(|| Incident {
                throttle: Some(Course::begun(throttle)),
                ..Incident::at(event.time, Some(gpu.clone()), "throttle", String::new())
            });
        open.ongoing = true;
        open.weight = open.weight.max(event.weight());
        if let Some(course) = &mut open.throttle {
            course.goes_on(throttle);
        }
    }

    fn recovered(&mut self, time: Duration, gpu: &GpuName, outcome: &Outcome) {
        if let Some(course) = self.course(&gpu.uuid) {
            course.ends(outcome);
        }
        if let Some(open) = self.throttles.get_mut(&gpu.uuid) {
            // As the guard measured it, unless that one knows the end of it only.
            let course = open.throttle.as_ref();
            let whole = course.is_some_and(|course| !course.taken_over);
            open.seconds = whole.then_some(outcome.seconds);
        }
        self.end_throttle(time, &gpu.uuid, "recovered");
    }

    fn course(&mut self, uuid: &str) -> Option<&mut Course> {
        self.throttles.get_mut(uuid)?.throttle.as_mut()
    }

    fn gpu(&mut self, name: &GpuName) -> &mut Gpu {
        let gpu = self.gpus.entry(name.uuid.clone());
        let gpu = gpu.or_insert_with(|| Gpu::named(name.clone()));
        // A card can move to another index.
        gpu.name = name.clone();
        gpu
    }

    fn end_throttle(&mut self, time: Duration, uuid: &str, how: &str) {
        let Some(mut open) = self.throttles.remove(uuid) else {
            return;
        };
        open.ongoing = false;
        self.close(open, time, how);
    }

    fn close(&mut self, mut open: Incident, time: Duration, how: &str) {
        let lasted = time.saturating_sub(open.began).as_secs_f64();
        open.seconds = open.seconds.or(Some(lasted));
        if let Some(course) = &open.throttle {
            open.what = course.sentence(how);
        }
        if open.end() < self.since {
            return;
        }
        if let Some(name) = &open.gpu {
            let gpu = self.gpu(&name.clone());
            gpu.book(&open);
            if open.kind == OWN_SLOWDOWN {
                gpu.own_slowdowns.add(open.seconds.unwrap_or(0.0));
                gpu.own_hottest_celsius = hotter(gpu.own_hottest_celsius, open.hottest_celsius);
            } else if open.throttle.is_none() {
                let spells = gpu.troubles.entry(open.kind.clone()).or_default();
                spells.add(open.seconds.unwrap_or(0.0));
            }
        } else {
            let guard = &mut self.record.guard;
            let spells = match open.kind.as_str() {
                "chain" => Some(&mut guard.chain_outages),
                "detached" => Some(&mut guard.detached),
                kind if kind == Trouble::DriverGone.name() => Some(&mut guard.driver_outages),
                _ => None,
            };
            if let Some(spells) = spells {
                spells.add(open.seconds.unwrap_or(0.0));
            }
        }
        self.record.incidents.push(open);
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

    /// The guard noticed the beginning and the end late, and says how long it was.
    fn end_own_slowdown(&mut self, time: Duration, key: &Key, outcome: &Outcome) {
        if let Some(open) = self.spells.get_mut(key) {
            open.seconds = Some(outcome.seconds);
            open.hottest_celsius = outcome.hottest_celsius;
            if let Some(hottest) = outcome.hottest_celsius {
                open.what = format!("{}, hottest {hottest:.0} °C", open.what);
            }
        }
        self.end(time, key);
    }

    /// The guard is gone, so the conditions that it saw end here. A throttle waits for the next guard.
    fn end_all(&mut self, time: Duration) {
        for key in self.spells.keys().cloned().collect::<Vec<_>>() {
            self.end(time, &key);
        }
        if self.observes {
            let watched: Vec<_> = self.throttles.keys().cloned().collect();
            for uuid in watched {
                self.end_throttle(time, &uuid, "only observed: nothing was set");
            }
        }
        for open in self.throttles.values_mut() {
            open.ongoing = false;
        }
    }

    /// An incident without a duration.
    fn point(&mut self, event: &Event, kind: &str) {
        let incident = Incident::at(event.time, event.gpu.clone(), kind, event.what.to_string());
        let incident = incident.weighing(event.weight());
        self.record.incidents.push(incident);
    }

    fn finish(mut self, until: Duration) -> Record {
        for (_, open) in std::mem::take(&mut self.spells) {
            self.close(open, until, "");
        }
        for (_, open) in std::mem::take(&mut self.throttles) {
            let (until, how) = if open.ongoing {
                (until, "ongoing, as far as the log shows")
            } else {
                (self.last, "left capped by a guard that is gone")
            };
            self.close(open, until, how);
        }
        let mut record = self.record;
        record.gpus = self.gpus.into_values().collect();
        record.gpus.sort_by(|a, b| a.name.cmp(&b.name));
        record.incidents.sort_by_key(|incident| incident.began);
        record
    }
}

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
